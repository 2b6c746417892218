/**
 * Back-propagation through time (Werbos 1990) as a graph, for a known number of steps. Hidden states are outputs of the layer, so all
 * its gates are computed at once for all steps; only what travels backward goes step by step.
 */
import { intAttribute, stringAttribute } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import { noDerivative } from "./no-derivative.ts";
import type { Backward } from "./rule.ts";

/** More steps make a graph that takes long to load. */
const MOST_STEPS = 256;

/** What flows back to the layer's input, and to its units where the layer itself reads them. */
export interface ThroughTime {
  /** dE/dX[time, N, features]. */
  readonly input: string;
  /** dE/dgain[N, units] of gains on the columns of R, by sample. */
  readonly gain: string;
}

const known = new WeakMap<GraphBuilder, Map<string, ThroughTime>>();

/** Both, appended once for a node and what arrives at it. */
export function throughTime(d: Backward): ThroughTime {
  const { b, node } = d;
  const own = known.get(b) ?? new Map<string, ThroughTime>();
  known.set(b, own);
  const key = [...node.inputs, ...[0, 1, 2].map((index) => d.incoming(index) ?? "")].join();
  const found = own.get(key) ?? append(d);
  own.set(key, found);
  return found;
}

/** One direction of a layer, in the order of its steps. */
interface Direction {
  readonly b: GraphBuilder;
  readonly steps: number;
  readonly units: number;
  /** By gate: W X + b [time, N, units], and R's rows [units, units] with their biases [units]. */
  readonly fromInput: readonly string[];
  readonly rows: readonly string[];
  readonly rowBiases: readonly string[];
  /** Hidden states before each step, [time, N, units]. */
  readonly before: string;
  /** dE/dY by step [N, units], and at the end. */
  readonly arriving: readonly string[] | undefined;
  readonly atEnd: readonly [hidden: string | undefined, cell: string | undefined];
  readonly zeros: string;
  readonly node: Node;
}

/** By gate, dE/d of its sum before the activation, [time, N, units], and by step what flows to the state before it through R. */
interface Walked {
  readonly sums: readonly string[];
  readonly recurrent: readonly string[];
}

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;
/** Activations that they have where none are named. */
const USUAL = { LSTM: ["Sigmoid", "Tanh", "Tanh"], GRU: ["Sigmoid", "Tanh"], RNN: ["Tanh"] };

function append(d: Backward): ThroughTime {
  const { b, node } = d;
  const kind = node.opType as keyof typeof GATES;
  const [steps = 0] = d.dims(0);
  const [directions = 1, , units = 0] = d.dims(2);
  refuse(d, kind, steps);
  const y = hiddenStates(d);
  const names = stringAttribute(node, "direction", "forward");
  let [input, gain] = [undefined, undefined] as [string | undefined, string | undefined];
  for (let at = 0; at < directions; at++) {
    const isReverse = names === "reverse" || at === 1;
    const inOrder = (x: string): string => (isReverse ? b.op("Gather", [x, countdown(b, steps)], { axis: 0 }) : x);
    const part = (name: string): string => b.squeeze(b.slice(name, 0, at, at + 1), [0]);
    const [w, r] = [part(d.X(1)), part(d.X(2))];
    const gates = GATES[kind];
    const rows = (of: string, gate: number): string => b.slice(of, 0, gate * units, (gate + 1) * units);
    const biases = d.node.inputs[3] ? part(d.X(3)) : undefined;
    const bias = (gate: number): string | undefined => biases && b.slice(biases, 0, gate * units, (gate + 1) * units);
    const x = inOrder(d.X(0));
    const fromInput = Array.from({ length: gates }, (_, gate) => {
      const product = b.op("MatMul", [x, transposed(b, rows(w, gate))]);
      const shift = bias(gate);
      return shift ? b.add(product, shift) : product;
    });
    const own = inOrder(b.squeeze(b.slice(y, 1, at, at + 1), [1])); // [time, N, units]
    const zeros = b.mul(b.slice(own, 0, 0, 1), b.scalar(0)); // [1, N, units]
    const start = node.inputs[5] ? b.slice(d.X(5), 0, at, at + 1) : zeros;
    const before =
      steps > 1 ? b.op("Concat", [start, b.slice(own, 0, 0, steps - 1)], { axis: 0 }) : b.add(start, zeros);
    const arrived = d.incoming(0);
    const last = (index: number): string | undefined => {
      const value = d.incoming(index);
      return value && b.squeeze(b.slice(value, 0, at, at + 1), [0]);
    };
    const direction: Direction = {
      ...{ b, steps, units, fromInput, before, node, zeros: b.squeeze(zeros, [0]) },
      rows: Array.from({ length: gates }, (_, gate) => rows(r, gate)),
      rowBiases: Array.from({ length: gates }, (_, gate) => bias(gates + gate) ?? b.scalar(0)),
      arriving:
        arrived === undefined ? undefined : split(b, inOrder(b.squeeze(b.slice(arrived, 1, at, at + 1), [1])), steps),
      atEnd: [last(1), last(2)],
    };
    const { sums, recurrent } = WALKS[kind](direction, node.inputs[6] ? b.slice(d.X(6), 0, at, at + 1) : zeros);
    const flows = sums.map((sum, gate) => b.op("MatMul", [sum, rows(w, gate)]));
    const toInput = inOrder(flows.reduce((total, flow) => b.add(total, flow)));
    const toUnits = b.sum(b.mul(before, stack(b, recurrent)), [0]);
    input = input ? b.add(input, toInput) : toInput;
    gain = gain ? b.add(gain, toUnits) : toUnits;
  }
  return { input: input as string, gain: gain as string };
}

function refuse(d: Backward, kind: keyof typeof GATES, steps: number): void {
  const { node } = d;
  const because = (what: string): never => {
    throw noDerivative(node, `no gradient rule ${what}`);
  };
  if (steps > MOST_STEPS) because(`for ${steps} steps, at most ${MOST_STEPS}`);
  if (node.inputs[4]) because("with sequence_lens");
  if (node.inputs[7]) because("with peepholes");
  if (node.attributes.clip) because("with clip");
  if (intAttribute(node, "input_forget", 0) !== 0) because("with input_forget");
  const activations = node.attributes.activations;
  const usual = USUAL[kind];
  const asked = activations?.kind === "strings" ? activations.value : usual;
  if (!asked.every((name, at) => name.toLowerCase() === usual[at % usual.length]?.toLowerCase())) {
    because(`with activations ${asked.join(", ")}`);
  }
}

/** Y, by a layer of its own where the node does not give it. */
function hiddenStates({ b, node, dims }: Backward): string {
  const [y = ""] = node.outputs;
  if (y !== "") return y;
  const own = b.fresh("Y");
  // the same said otherwise: onnxruntime takes two equal nodes for one, and trips over outputs that only one of them has
  const { activations, ...others } = node.attributes;
  const value = Array.from({ length: dims(2)[0] as number }, () => USUAL[node.opType as keyof typeof GATES]).flat();
  const attributes = activations ? others : { ...others, activations: { kind: "strings" as const, value } };
  b.append({ ...node, name: b.fresh("recurrent"), outputs: [own], attributes });
  return own;
}

const WALKS: Record<keyof typeof GATES, (direction: Direction, cell: string) => Walked> = {
  LSTM: walkLstm,
  GRU: walkGru,
  RNN: walkRnn,
};

/** Gates i, o, f, c: C' = f C + i c, H' = o tanh(C'). */
function walkLstm(at: Direction, cell: string): Walked {
  const { b, steps } = at;
  const [i, o, f, c] = [0, 1, 2, 3].map((gate) => b.op(gate === 3 ? "Tanh" : "Sigmoid", [sumOf(at, gate)])) as [
    string,
    string,
    string,
    string,
  ];
  const [kept, added] = [split(b, f, steps), split(b, b.mul(i, c), steps)];
  const cells = [b.squeeze(cell, [0])];
  for (let t = 0; t < steps; t++) {
    cells.push(b.add(b.mul(kept[t] as string, cells[t] as string), added[t] as string));
  }
  const [was, is] = [stack(b, cells.slice(0, steps)), b.op("Tanh", [stack(b, cells.slice(1))])];
  const bent = (s: string): string => b.mul(s, b.sub(b.scalar(1), s));
  const flat = (s: string): string => b.sub(b.scalar(1), b.square(s));
  const by = {
    o: split(b, b.mul(is, bent(o)), steps),
    cell: split(b, b.mul(o, flat(is)), steps),
    i: split(b, b.mul(c, bent(i)), steps),
    f: split(b, b.mul(was, bent(f)), steps),
    c: split(b, b.mul(i, flat(c)), steps),
  };
  const sums = [0, 1, 2, 3].map(() => new Array<string>(steps));
  const recurrent = new Array<string>(steps);
  let [hidden, carried] = at.atEnd;
  for (let t = steps - 1; t >= 0; t--) {
    const dh = plus(b, at.arriving?.[t], hidden) ?? at.zeros;
    const dc = plus(b, b.mul(dh, by.cell[t] as string), carried) as string;
    const own = [
      b.mul(dc, by.i[t] as string),
      b.mul(dh, by.o[t] as string),
      b.mul(dc, by.f[t] as string),
      b.mul(dc, by.c[t] as string),
    ];
    own.forEach((sum, gate) => {
      (sums[gate] as string[])[t] = sum;
    });
    recurrent[t] = own.map((sum, gate) => b.op("MatMul", [sum, at.rows[gate] as string])).reduce((x, y) => b.add(x, y));
    hidden = recurrent[t];
    carried = b.mul(dc, kept[t] as string);
  }
  return { sums: sums.map((all) => stack(b, all)), recurrent };
}

/** Gates z, r, h: H' = (1 - z) h + z H. */
function walkGru(at: Direction): Walked {
  const { b, steps, before, node } = at;
  const isAfter = intAttribute(node, "linear_before_reset", 0) !== 0;
  const [z, r] = [0, 1].map((gate) => b.op("Sigmoid", [sumOf(at, gate)])) as [string, string];
  const read = isAfter ? before : b.mul(r, before);
  const candidate = b.add(b.op("MatMul", [read, transposed(b, at.rows[2] as string)]), at.rowBiases[2] as string);
  const h = b.op("Tanh", [b.add(at.fromInput[2] as string, isAfter ? b.mul(r, candidate) : candidate)]);
  const one = b.scalar(1);
  const bent = (s: string): string => b.mul(s, b.sub(one, s));
  const by = {
    z: split(b, b.mul(b.sub(before, h), bent(z)), steps),
    h: split(b, b.mul(b.sub(one, z), b.sub(one, b.square(h))), steps),
    r: split(b, b.mul(isAfter ? candidate : before, bent(r)), steps),
    reset: split(b, r, steps),
    kept: split(b, z, steps),
  };
  const sums = [0, 1, 2].map(() => new Array<string>(steps));
  const recurrent = new Array<string>(steps);
  let [hidden] = at.atEnd;
  const rowsOf = (sum: string, gate: number): string => b.op("MatMul", [sum, at.rows[gate] as string]);
  for (let t = steps - 1; t >= 0; t--) {
    const dh = plus(b, at.arriving?.[t], hidden) ?? at.zeros;
    const [dz, dn] = [b.mul(dh, by.z[t] as string), b.mul(dh, by.h[t] as string)];
    const back = isAfter ? rowsOf(b.mul(dn, by.reset[t] as string), 2) : rowsOf(dn, 2);
    const dr = b.mul(isAfter ? dn : back, by.r[t] as string);
    const third = isAfter ? back : b.mul(back, by.reset[t] as string);
    [dz, dr, dn].forEach((sum, gate) => {
      (sums[gate] as string[])[t] = sum;
    });
    recurrent[t] = b.add(b.add(rowsOf(dz, 0), rowsOf(dr, 1)), third);
    hidden = b.add(recurrent[t] as string, b.mul(dh, by.kept[t] as string));
  }
  return { sums: sums.map((all) => stack(b, all)), recurrent };
}

/** H' = tanh(W X + R H + b). */
function walkRnn(at: Direction): Walked {
  const { b, steps } = at;
  const h = b.op("Tanh", [sumOf(at, 0)]);
  const by = split(b, b.sub(b.scalar(1), b.square(h)), steps);
  const sums = new Array<string>(steps);
  const recurrent = new Array<string>(steps);
  let [hidden] = at.atEnd;
  for (let t = steps - 1; t >= 0; t--) {
    sums[t] = b.mul(plus(b, at.arriving?.[t], hidden) ?? at.zeros, by[t] as string);
    recurrent[t] = b.op("MatMul", [sums[t] as string, at.rows[0] as string]);
    hidden = recurrent[t];
  }
  return { sums: [stack(b, sums)], recurrent };
}

/** A gate's sum before its activation, at all steps. */
function sumOf({ b, fromInput, before, rows, rowBiases }: Direction, gate: number): string {
  const product = b.op("MatMul", [before, transposed(b, rows[gate] as string)]);
  return b.add(b.add(fromInput[gate] as string, product), rowBiases[gate] as string);
}

function plus(b: GraphBuilder, one: string | undefined, other: string | undefined): string | undefined {
  return one !== undefined && other !== undefined ? b.add(one, other) : (one ?? other);
}

function transposed(b: GraphBuilder, matrix: string): string {
  return b.op("Transpose", [matrix], { perm: [1, 0] });
}

/** [time, N, units] -> [N, units] by step. */
function split(b: GraphBuilder, x: string, steps: number): string[] {
  return Array.from({ length: steps }, (_, t) => b.op("Gather", [x, b.index(t)], { axis: 0 }));
}

/** [N, units] by step -> [time, N, units]. */
function stack(b: GraphBuilder, values: readonly string[]): string {
  const rows = values.map((value) => b.unsqueeze(value, [0]));
  return rows.length === 1 ? (rows[0] as string) : b.op("Concat", rows, { axis: 0 });
}

function countdown(b: GraphBuilder, steps: number): string {
  return b.ints(Array.from({ length: steps }, (_, t) => steps - 1 - t));
}
