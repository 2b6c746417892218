/**
 * Gates: the model with every unit's output multiplied by a gain where its consumers read it. The gains are a graph
 * input, so one compiled graph serves every question of the form "what if these units were weaker, gone, or stronger".
 */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Graph, Model } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { type Tensor, tensorOf } from "../graph/tensor.ts";
import { nodeId } from "../units/places.ts";
import type { Sink, Units } from "../units/units.ts";

/** Name of the graph input that takes the gains. */
export const GAINS = "shrinknet/gains";

/** One gate: where it stands and what it is called. */
export interface Gate {
  readonly sink: Sink;
  /** The value that its reader read in the model. */
  readonly value: string;
  /** The value after it. */
  readonly gated: string;
}

export interface GatedModel {
  readonly model: Model;
  readonly gates: readonly Gate[];
  /** Shapes of the model's values and the gated ones. */
  readonly shapes: Shapes;
}

/**
 * Inserts gates at every sink of the model. The gains come in as GAINS[B, units + 1], B = 1 or the number of samples;
 * the last column must be 1 (see {@link gainsTensor}). Sinks that read one value along one axis share a gate.
 */
export function gateModel(model: Model, shapes: Shapes, units: Units): GatedModel {
  const { graph } = model;
  const type = realTypeOf(graph, shapes);
  const b = GraphBuilder.around(graph, opsetOf(model), type);
  b.input(GAINS, type, ["gains", units.count + 1]);
  const sinks = allSinks(units);
  const gates = new Map<string, Gate>(); // by what is gated, axis
  const allShapes = new Map(shapes);
  const redirect = new Map<string, string>(); // by node and slot
  const available = (value: string): void => {
    for (const sink of sinks) {
      if (sink.value !== value) continue;
      const reader = `${sink.node}@${sink.slot}`;
      const ungated = redirect.get(reader) ?? value; // gated already where the reader sums over a further axis
      const key = `${ungated}@${sink.axis}`;
      const gate = gates.get(key) ?? insert(sink, ungated);
      gates.set(key, gate);
      redirect.set(reader, gate.gated);
    }
  };
  for (const name of graph.initializers.keys()) available(name);
  for (const input of graph.feeds) available(input.name);
  for (const node of graph.nodes) {
    const id = nodeId(node);
    const inputs = node.inputs.map((name, slot) => redirect.get(`${id}@${slot}`) ?? name);
    b.append(inputs.some((name, slot) => name !== node.inputs[slot]) ? { ...node, inputs } : node);
    for (const name of node.outputs) available(name);
  }
  return { model: { ...model, graph: b.graph(graph.outputs) }, gates: [...gates.values()], shapes: allShapes };

  function insert(sink: Sink, ungated: string): Gate {
    const shape = shapes.get(sink.value);
    const dims = new Array<number>(shape?.dims.length ?? 0).fill(1);
    dims[sink.axis] = sink.owners.length;
    if (shape?.batchAxis !== undefined && shape.batchAxis < sink.axis) dims[shape.batchAxis] = -1;
    const columns = Array.from(sink.owners, (unit) => (unit < 0 ? units.count : unit));
    // of weights, which are the same for all samples, the gains of the first
    const rows = graph.initializers.has(sink.value) ? b.slice(GAINS, 0, 0, 1) : GAINS;
    const gains = b.reshape(b.op("Gather", [rows, b.ints(columns)], { axis: 1 }), dims);
    const gated = b.op("Mul", [ungated, gains], {}, b.fresh(`${sink.value}/gated`));
    if (shape) allShapes.set(gated, shape);
    return { sink, value: sink.value, gated };
  }
}

/** Every place where some group's units are read, each once. */
export function allSinks(units: Units): Sink[] {
  const sinks = new Map<string, Sink>();
  for (const group of units.groups)
    for (const sink of group.sinks) sinks.set(`${sink.node}@${sink.slot}@${sink.axis}`, sink);
  return [...sinks.values()];
}

/** Gains for a gated model: rows of one gain per unit, given as `rows * count` numbers; adds the column of ones. */
export function gainsTensor(gains: ArrayLike<number>, count: number, type: "float32" | "float64" = "float32"): Tensor {
  const rows = count === 0 ? 1 : gains.length / count;
  const data = new Float64Array(rows * (count + 1)).fill(1);
  for (let row = 0; row < rows; row++) {
    for (let unit = 0; unit < count; unit++) data[row * (count + 1) + unit] = gains[row * count + unit] as number;
  }
  return tensorOf(type, data, [rows, count + 1]);
}

/** Element type of the model's real numbers: double if its first float input or output is, else single. */
export function realTypeOf(graph: Graph, shapes: Shapes): "float32" | "float64" {
  const types = [...graph.outputs, ...graph.feeds].map((info) => info.type ?? shapes.get(info.name)?.type);
  return types.find((type) => type === "float32" || type === "float64") === "float64" ? "float64" : "float32";
}
