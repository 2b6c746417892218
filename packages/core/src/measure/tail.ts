/**
 * The tail of the network: from where a group's units are read to the error, for many candidates at once.
 *
 * Nothing before a unit changes when it goes, and at its first consumers the change is the part that came from it. So
 * the tail starts from the consumers' cached outputs Z[n, ...] and takes from them each candidate's contribution:
 * Z'[K, n, ...] = Z - contribution(unit k). The K * n rows then run through the rest of the network as one batch.
 */
import { isBatched } from "../graph/batching.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import { type Graph, type Model, type Node, readsOf } from "../graph/graph.ts";
import { dependingOnData, dimsOf } from "../graph/shapes.ts";
import { int64, isFloat, sizeOf, type Tensor, tensorOf } from "../graph/tensor.ts";
import { downstream, needed } from "../graph/traverse.ts";
import { ruleFor } from "../ops/index.ts";
import type { Contribution } from "../ops/rule.ts";
import { nodeId } from "../units/places.ts";
import type { Group, Sink } from "../units/units.ts";
import type { Evaluator } from "./evaluator.ts";
import { type OutputTerm, targetInputs, termError } from "./objectives/model-objective.ts";
import { ownersLeft, type State } from "./state.ts";

/** A tail graph and what it must be fed besides the cached values and the targets. */
export interface Tail {
  readonly model: Model;
  /** Values of the network that it starts from, by the inputs that take them. */
  readonly cached: ReadonlyMap<string, string>;
  /** Output: the errors[K, n] of the samples without each candidate. */
  readonly output: string;
  /** Feeds that name the candidates: exactly K units of the group. */
  feeds(candidates: readonly number[]): Record<string, Tensor>;
}

/**
 * Whether several candidates may go through the tail as one larger batch: samples are batched, and every value that depends on
 * what they hold grows with their number. Lengths that are computed from the number of samples are no obstacle.
 */
export function canStackCandidates({ prunable }: Evaluator, state: State, group: Group): boolean {
  if (!isBatched(prunable.batching)) return false;
  const { graph } = state.model;
  if (group.sinks.some(({ value }) => graph.initializers.has(value))) return false; // weights are the same for all samples
  const changed = downstream(
    graph,
    group.sinks.map((sink) => sink.node),
  );
  const fromData = dependingOnData(graph);
  const values = [...changed, ...group.sinks.map((sink) => sink.value)];
  return values.every((name) => state.shapes.get(name)?.batchAxis !== undefined || !fromData.has(name));
}

/**
 * Builds the tail of a group for `count` candidates at a time; `count` above 1 needs {@link canStackCandidates}. The units
 * `beside` of the group are gone with each of them.
 */
export function buildTail(
  evaluator: Evaluator,
  state: State,
  group: Group,
  count: number,
  beside: readonly number[] = [],
): Tail {
  const { graph } = state.model;
  const { terms, type: real } = evaluator;
  const opset = opsetOf(state.model);
  const b = GraphBuilder.around(graph.with({ inputs: [], outputs: [], valueInfo: new Map() }), opset, real);
  for (const { name } of graph.inputs) b.take(name);
  const changed = downstream(
    graph,
    group.sinks.map((sink) => sink.node),
  );
  const fromData = dependingOnData(graph);
  const cached = new Map<string, string>(); // value by input
  const inputOf = new Map<string, string>();
  /** The value in the tail of each value of the network, for all candidates: K times as long along its batch axis. */
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
  const measured = terms.filter(({ value }) => changed.has(value));
  for (const node of needed(graph, new Set(measured.map(({ value }) => value)), new Set(inTail.keys()))) {
    if (node.outputs.some((name) => changed.has(name))) append(node);
  }
  targetInputs(b, terms);
  const errors = terms.map((term) => (changed.has(term.value) ? changedError(term) : sameError(term)));
  const output = b.reshape(
    errors.reduce((sum, error) => b.add(sum, error)),
    [count, -1],
  );
  return {
    model: { ...state.model, graph: withoutUnread(b.graph([output])) },
    cached,
    output,
    feeds: (candidates) => Object.fromEntries(feeders.map((feeder) => feeder(candidates))),
  };

  /** Errors [K * n] by an output that the candidates change. */
  function changedError(term: OutputTerm): string {
    const target = repeated(term.target, 0, term.info.dims.length + 1);
    return termError(b, { ...term, target }, at(term.value));
  }

  /** Errors [K * n] by an output that they do not change. */
  function sameError(term: OutputTerm): string {
    return repeated(termError(b, term, read(term.value)), 0, 1);
  }

  function append(node: Node): void {
    const inputs = node.inputs.map((name, slot) => {
      const here = late.filter((sink) => sink.node === nodeId(node) && sink.slot === slot); // one for each axis
      return here.reduce((value, sink) => gate(sink, value), at(name));
    });
    for (const name of readsInBodies(node)) {
      // bodies know outer values by name
      const value = at(name);
      if (value !== name && !graph.initializers.has(name)) b.op("Identity", [value], {}, name);
      inTail.set(name, name);
    }
    b.append({ ...node, inputs });
    for (const name of node.outputs) inTail.set(name, name);
  }

  /** The consumer's output without each candidate's part; undefined where its operator cannot say. */
  function withoutContribution(sink: Sink, node: Node): string | undefined {
    const isFirst = (name: string): boolean =>
      state.shapes.get(name)?.batchAxis === 0 || !isBatched(evaluator.prunable.batching);
    if (!isFirst(sink.value) || !isFirst(nodeId(node))) return undefined;
    if (node.inputs.some((name) => changed.has(name))) return undefined;
    const positions = positionsAt(sink, state);
    const span = positions.values().next().value?.length ?? 0;
    const rule = ruleFor(node)?.contribution;
    if (!rule || [...positions.values()].some((list) => list.length !== span)) return undefined;
    const shapeOf = (name: string): readonly number[] => dimsOf(state.shapes, name);
    const context = {
      b,
      node,
      opset,
      axis: sink.axis,
      slot: sink.slot,
      X: (slot) => at(node.inputs[slot] as string),
      dims: (slot) => graph.initializers.get(node.inputs[slot] as string)?.dims ?? shapeOf(node.inputs[slot] as string),
      outDims: () => shapeOf(nodeId(node)),
      constant: (slot) => graph.initializers.get(node.inputs[slot] ?? ""),
    } satisfies Partial<Contribution>;
    /** What some positions of the sink add to the output: [candidates, N, ...]. */
    const partOf = (indexes: string, candidates: number, width: number): string | undefined => {
      const slices = b.fresh("shrinknet/slices");
      const part = rule({ ...context, indexes, slices, candidates, span: width });
      if (part !== undefined) b.op("Gather", [read(sink.value), indexes], { axis: sink.axis }, slices);
      return part;
    };
    const indexes = b.fresh("shrinknet/indexes");
    const part = partOf(indexes, count, span);
    if (part === undefined) return undefined;
    b.input(indexes, "int64", [count * span]);
    feeders.push((candidates) => [indexes, int64(candidates.flatMap((unit) => positions.get(unit) ?? []))]);
    const gone = beside.flatMap((unit) => positions.get(unit) ?? []);
    const shared = gone.length > 0 ? partOf(b.tensor(int64(gone), "shrinknet/gone"), 1, gone.length) : undefined;
    if (gone.length > 0 && shared === undefined) return undefined;
    const z = b.unsqueeze(read(nodeId(node)), [0]);
    return flat(b.sub(shared === undefined ? z : b.sub(z, shared), part), shapeOf(nodeId(node)));
  }

  /** A consumed value, as the tail sees it, with each candidate's units set to 0. */
  function gate(sink: Sink, value: string): string {
    const { dims, batchAxis = 0 } = state.shapes.get(sink.value) ?? { dims: [] };
    const length = dims[sink.axis] as number;
    const positions = positionsAt(sink, state);
    const keep = b.input(b.fresh("shrinknet/keep"), real, [count, length]);
    feeders.push((candidates) => {
      const mask = new Float64Array(count * length).fill(1);
      candidates.forEach((unit, row) => {
        for (const position of [unit, ...beside].flatMap((one) => positions.get(one) ?? [])) {
          mask[row * length + position] = 0;
        }
      });
      return [keep, tensorOf(real, mask, [count, length])];
    });
    if (count === 1) {
      const aligned = dims.map((_, axis) => (axis === sink.axis ? length : 1));
      return b.mul(value, b.reshape(keep, aligned));
    }
    // the batch axis as [K, n]; what comes before it is the same for all candidates
    const split = dims.flatMap((dim, axis) => (axis === batchAxis ? [count, -1] : [dim]));
    const own = sink.axis < batchAxis ? sink.axis : sink.axis + 1;
    const aligned = split.map((_, axis) => (axis === batchAxis ? count : axis === own ? length : 1));
    const byRow = own < batchAxis ? b.op("Transpose", [keep], { perm: [1, 0] }) : keep;
    const gated = b.mul(b.reshape(value, split), b.reshape(byRow, aligned));
    return b.reshape(
      gated,
      dims.map((dim, axis) => (axis === batchAxis ? -1 : dim)),
    );
  }

  /** A value of the network as the tail sees it. */
  function at(name: string): string {
    const known = inTail.get(name);
    if (known !== undefined || name === "" || graph.initializers.has(name)) return known ?? name;
    const isAdded = !state.shapes.has(name); // by surgery, to patch a computed shape
    const value = isAdded || (count > 1 && isLength(name)) ? lengthInTail(name) : repeatedValue(name);
    inTail.set(name, value);
    return value;
  }

  function repeatedValue(name: string): string {
    const { batchAxis, dims = [] } = state.shapes.get(name) ?? {};
    return batchAxis === undefined ? read(name) : repeated(read(name), batchAxis, dims.length);
  }

  /** Whether a value is computed from the number of samples alone: of K candidates there are K times as many. */
  function isLength(name: string): boolean {
    const { type = real, dims = [], batchAxis, constant } = state.shapes.get(name) ?? {};
    if (batchAxis !== undefined || constant || fromData.has(name)) return false;
    return !isFloat(type) || (dims.length < 2 && sizeOf(dims) <= MOST_LENGTHS);
  }

  /** Computes lengths anew, from the shapes that values have in the tail. */
  function lengthInTail(name: string): string {
    const node = graph.value(name)?.producer;
    if (!node) return read(name);
    if (node.opType !== "Shape" && node.opType !== "Size") {
      append(node);
      return name;
    }
    const source = node.inputs[0] as string;
    if (inTail.has(source)) {
      append(node);
      return name;
    }
    const { batchAxis, dims = [] } = state.shapes.get(source) ?? {};
    if (batchAxis === undefined) return read(name);
    const factors = dims.map((_, axis) => (axis === batchAxis ? count : 1));
    const { start, end } = node.attributes;
    const [from, to] = [start, end].map((one) => (one?.kind === "int" ? one.value : undefined));
    const own = node.opType === "Size" ? int64([count], []) : int64(factors.slice(from ?? 0, to ?? factors.length));
    return b.mul(read(name), b.tensor(own, "shrinknet/factors"));
  }

  function read(name: string): string {
    const known = inputOf.get(name);
    if (known !== undefined) return known;
    const input = b.input(b.fresh(`${name}/cached`), state.shapes.get(name)?.type ?? real);
    inputOf.set(name, input);
    cached.set(input, name);
    return input;
  }

  /** Repeats a value for every candidate along an axis. */
  function repeated(name: string, axis: number, rank: number): string {
    if (count === 1) return name;
    return b.op("Tile", [name, b.ints(Array.from({ length: rank }, (_, a) => (a === axis ? count : 1)))]);
  }

  /** [K, n, ...dims after the first] -> [K * n, ...]. */
  function flat(name: string, dims: readonly number[]): string {
    return count === 1 ? b.squeeze(name, [0]) : b.reshape(name, [-1, ...dims.slice(1)]);
  }
}

/** Names that the bodies of a control-flow node read. */
function readsInBodies(node: Node): string[] {
  return Object.values(node.attributes).flatMap((attribute) => (attribute.kind === "graph" ? attribute.value : []));
}

/** Elements of a value that holds lengths of axes, at most. */
const MOST_LENGTHS = 8;

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
