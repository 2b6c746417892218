/**
 * The tail of the network: from where a group's units are read to the error, for many candidates at once.
 *
 * Nothing before a unit changes when it goes, and at its first consumers the change is the part that came from it. So
 * the tail starts from the consumers' cached outputs Z[n, ...] and takes from them each candidate's contribution:
 * Z'[K, n, ...] = Z - contribution(unit k). The K * n rows then run through the rest of the network as one batch.
 */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import { type Graph, type Model, type Node, readsOf } from "../graph/graph.ts";
import { dimsOf } from "../graph/shapes.ts";
import { int64, type Tensor, tensorOf } from "../graph/tensor.ts";
import { downstream, needed } from "../graph/traverse.ts";
import { ruleFor } from "../ops/index.ts";
import type { Contribution } from "../ops/rule.ts";
import { nodeId } from "../units/places.ts";
import type { Group, Sink } from "../units/units.ts";
import { TARGET } from "./objective.ts";
import { ownersLeft, type State } from "./state.ts";
import type { Subject } from "./subject.ts";

/** A tail graph and what it must be fed besides the cached values under their own names. */
export interface Tail {
  readonly model: Model;
  /** Values of the network that it starts from. */
  readonly cached: readonly string[];
  /** Output: the errors[K, n] of the samples without each candidate. */
  readonly output: string;
  /** What tells it the candidates: exactly K units of the group. */
  feeds(candidates: readonly number[]): Record<string, Tensor>;
}

/** Whether several candidates can go through the tail as one larger batch: every value's first axis counts samples. */
export function canBatch(state: State, group: Group): boolean {
  const changed = downstream(
    state.model.graph,
    group.sinks.map((sink) => sink.node),
  );
  const values = [...changed, ...group.sinks.map((sink) => sink.value)];
  return values.every((name) => state.shapes.get(name)?.batchAxis === 0);
}

/** Builds the tail of a group for `count` candidates at a time; `count` above 1 needs {@link canBatch}. */
export function buildTail(subject: Subject, state: State, group: Group, count: number): Tail {
  const { graph } = state.model;
  const { objective } = subject;
  const opset = opsetOf(state.model);
  const real = subject.targets.type;
  const b = new GraphBuilder({
    opset,
    real,
    base: graph.with({ inputs: [], outputs: [], nodes: [], valueInfo: new Map() }),
  });
  const changed = downstream(
    graph,
    group.sinks.map((sink) => sink.node),
  );
  const cached = new Set<string>();
  /** The value in the tail of each value of the network, for all candidates: [K * n, ...]. */
  const inTail = new Map<string, string>();
  const feeders: ((candidates: readonly number[]) => [name: string, tensor: Tensor])[] = [];

  const nodes = new Map(graph.nodes.map((node) => [nodeId(node), node]));
  const late: Sink[] = []; // read what the tail itself computes, or in a way that has no contribution rule
  for (const sink of group.sinks) {
    const node = nodes.get(sink.node) as Node;
    const z = withoutContribution(sink, node);
    if (z === undefined) late.push(sink);
    else inTail.set(nodeId(node), z);
  }
  for (const node of needed(graph, [objective.value], new Set(inTail.keys()))) {
    if (!node.outputs.some((name) => changed.has(name))) continue;
    const inputs = node.inputs.map((name, slot) => {
      const here = late.filter((sink) => sink.node === nodeId(node) && sink.slot === slot); // one for each axis
      return here.reduce((value, sink) => gate(sink, value), at(name));
    });
    b.append({ ...node, inputs });
    for (const name of node.outputs) inTail.set(name, name);
  }
  b.input(TARGET, real);
  const errors = objective.error(b, at(objective.value), tile(TARGET, dimsOf(state.shapes, objective.value)));
  const output = b.reshape(errors, [count, -1]);
  return {
    model: { ...state.model, graph: withoutUnread(b.graph([output])) },
    cached: [...cached],
    output,
    feeds: (candidates) => Object.fromEntries(feeders.map((feeder) => feeder(candidates))),
  };

  /** The consumer's output without each candidate's part; undefined where its operator cannot say. */
  function withoutContribution(sink: Sink, node: Node): string | undefined {
    if (state.shapes.get(sink.value)?.batchAxis !== 0) return undefined;
    if (node.inputs.some((name) => changed.has(name))) return undefined;
    const positions = positionsAt(sink, state);
    const span = positions.values().next().value?.length ?? 0;
    const rule = ruleFor(node)?.contribution;
    if (!rule || [...positions.values()].some((list) => list.length !== span)) return undefined;
    const shapeOf = (name: string): readonly number[] => dimsOf(state.shapes, name);
    const indexes = b.fresh("shrinknet/indexes");
    const slices = b.fresh("shrinknet/slices");
    const context: Contribution = {
      b,
      node,
      opset,
      axis: sink.axis,
      slot: sink.slot,
      candidates: count,
      span,
      slices,
      indexes,
      X: (slot) => at(node.inputs[slot] as string),
      dims: (slot) => graph.initializers.get(node.inputs[slot] as string)?.dims ?? shapeOf(node.inputs[slot] as string),
      outDims: () => shapeOf(nodeId(node)),
      constant: (slot) => graph.initializers.get(node.inputs[slot] ?? ""),
    };
    const part = rule(context);
    if (part === undefined) return undefined;
    b.input(indexes, "int64", [count * span]);
    b.op("Gather", [read(sink.value), indexes], { axis: sink.axis }, slices);
    feeders.push((candidates) => [indexes, int64(candidates.flatMap((unit) => positions.get(unit) ?? []))]);
    const z = read(nodeId(node));
    return flat(b.sub(b.unsqueeze(z, [0]), part), shapeOf(nodeId(node)));
  }

  /** A sink's value, as the tail sees it, with each candidate's units set to 0. */
  function gate(sink: Sink, value: string): string {
    const dims = dimsOf(state.shapes, sink.value);
    const length = dims[sink.axis] as number;
    const positions = positionsAt(sink, state);
    const keep = b.input(b.fresh("shrinknet/keep"), real, [count, length]);
    feeders.push((candidates) => {
      const mask = new Float64Array(count * length).fill(1);
      candidates.forEach((unit, row) => {
        for (const position of positions.get(unit) ?? []) mask[row * length + position] = 0;
      });
      return [keep, tensorOf(real, mask, [count, length])];
    });
    const aligned = dims.map((_, axis) => (axis === sink.axis ? length : 1));
    if (count === 1) return b.mul(value, b.reshape(keep, aligned));
    const rows = b.reshape(value, [count, -1, ...dims.slice(1)]);
    return flat(b.mul(rows, b.reshape(keep, [count, ...aligned])), dims);
  }

  /** A value of the network as the tail sees it. */
  function at(name: string): string {
    const known = inTail.get(name);
    if (known !== undefined || name === "" || graph.initializers.has(name)) return known ?? name;
    const tiled = tile(read(name), dimsOf(state.shapes, name));
    inTail.set(name, tiled);
    return tiled;
  }

  function read(name: string): string {
    if (!cached.has(name)) b.input(name, state.shapes.get(name)?.type ?? real);
    cached.add(name);
    return name;
  }

  /** Repeats [n, ...] for every candidate: [K * n, ...]. Values that do not follow the samples stay as they are. */
  function tile(name: string, dims: readonly number[]): string {
    const follows = name === TARGET || state.shapes.get(name)?.batchAxis === 0;
    if (count === 1 || !follows) return name;
    return b.op("Tile", [name, b.ints(dims.map((_, axis) => (axis === 0 ? count : 1)))]);
  }

  /** [K, n, ...dims after the first] -> [K * n, ...]. */
  function flat(name: string, dims: readonly number[]): string {
    return count === 1 ? b.squeeze(name, [0]) : b.reshape(name, [-1, ...dims.slice(1)]);
  }
}

/** Positions of each unit along a sink's axis, after the removals. */
function positionsAt(sink: Sink, state: State): Map<number, number[]> {
  const positions = new Map<number, number[]>();
  ownersLeft(sink, state.cut).forEach((unit, index) => {
    if (unit < 0) return;
    const list = positions.get(unit);
    if (list) list.push(index);
    else positions.set(unit, [index]);
  });
  return positions;
}

/** Without the initializers of the network that the tail does not read: they cost memory, and IR 3 forbids them. */
function withoutUnread(graph: Graph): Graph {
  const read = new Set(graph.nodes.flatMap(readsOf));
  return graph.with({ initializers: new Map([...graph.initializers].filter(([name]) => read.has(name))) });
}
