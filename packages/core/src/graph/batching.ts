/**
 * Batching: the feeds of several samples run together, stacked along an axis of each input, where running proves that this
 * gives what they give one by one. Else each sample is a run of its own.
 */
import type { Runner } from "../runner.ts";
import { FreshNames } from "./fresh-names.ts";
import type { Graph, Model, ValueInfo } from "./graph.ts";
import { type Outcome, runInPieces, type Values } from "./pieces.ts";
import type { ProbeRun } from "./probe-run.ts";
import { concat, int64, isFloat, slice, type Tensor } from "./tensor.ts";

/** How samples go through a model. */
export interface Batching {
  /**
   * By input: the axis along which the feeds of several samples are stacked. Other inputs are the same for all samples of a
   * run. Empty: each sample is a run of its own.
   */
  readonly axes: ReadonlyMap<string, number>;
}

/** Each sample is a run of its own. */
export const ONE_BY_ONE: Batching = { axes: new Map() };

/** Whether several samples may run together. */
export function isBatched({ axes }: Batching): boolean {
  return axes.size > 0;
}

/** Feeds of several samples as one feed. Undefined where an input that is not stacked differs between them. */
export function stack(feeds: readonly Values[], { axes }: Batching): Values | undefined {
  const [first = {}] = feeds;
  if (feeds.length === 1) return first;
  const together: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(first)) {
    const all = feeds.map((feed) => feed[name] as Tensor);
    const axis = axes.get(name);
    if (axis === undefined && all.some((one) => !isEqual(one, tensor))) return undefined;
    together[name] = axis === undefined ? tensor : concat(all, axis);
  }
  return together;
}

/** Whether two tensors hold the same elements. */
export function isEqual(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.type !== b.type || a.dims.join() !== b.dims.join()) return false;
  const [x, y] = [a.data, b.data];
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  return true;
}

/** Model outputs of several samples, alone and together. */
export interface Proof {
  readonly alone: readonly Values[];
  readonly together: Values;
}

/** Runs the samples one by one and together; undefined where the runtime refuses one of these. */
export async function runBoth(
  model: Model,
  runner: Runner,
  feeds: readonly Values[],
  batching: Batching,
): Promise<Proof | undefined> {
  const stacked = stack(feeds, batching);
  if (!stacked) return undefined;
  const runs = await runInPieces(model, runner, [...feeds, stacked]);
  const refused = (run: Outcome | undefined): run is Error | undefined => run === undefined || run instanceof Error;
  const together = runs.pop();
  if (refused(together)) return undefined;
  const alone = runs.flatMap((run) => (refused(run) ? [] : [run]));
  return alone.length === feeds.length ? { alone, together } : undefined;
}

/** Rounding differs between batch sizes, and more where numbers have few digits; in shares of the largest value. */
const ROUNDING = { float16: 2e-2, bfloat16: 1e-1, float32: 1e-4, float64: 1e-10 } as const;

/**
 * Whether every output for the samples together holds, sample by sample along one axis, what they give alone. `fixed`: outputs
 * that no data can change.
 */
export function isIndependent({ alone, together }: Proof, fixed: ReadonlySet<string> = new Set()): boolean {
  return Object.entries(together).every(([name, all]) => {
    if (fixed.has(name)) return true;
    const rows = alone.map((one) => one[name]);
    return rows.every((row) => row !== undefined) && isStacked(rows as Tensor[], all);
  });
}

function isStacked(rows: readonly Tensor[], all: Tensor): boolean {
  const [{ dims, type } = all] = rows;
  const axis = growingAxis(dims, all.dims, rows.length);
  if (axis === undefined || rows.some((row) => row.dims.join() !== dims.join())) return false;
  const length = dims[axis] as number;
  const tolerance = type in ROUNDING ? ROUNDING[type as keyof typeof ROUNDING] : 0;
  return rows.every((row, n) => isClose(row, slice(all, axis, n * length, (n + 1) * length), tolerance));
}

/** Whether numbers differ by no more than a share of the largest one. Integers may differ in a few places, as ties do. */
function isClose(a: Tensor, b: Tensor, tolerance: number): boolean {
  const [x, y] = [a.numbers, b.numbers];
  let [largest, difference, others] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [x[i] as number, y[i] as number];
    if (Object.is(p, q)) continue;
    others++;
    difference = Math.max(difference, Math.abs(p - q));
    if (Number.isNaN(difference)) return false;
  }
  if (!isFloat(a.type)) return others <= x.length / 1000;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i] as number));
  return difference <= tolerance * Math.max(largest, 1e-30);
}

/** The one axis that is `samples` times as long for so many samples. */
export function growingAxis(one: readonly number[], many: readonly number[], samples: number): number | undefined {
  if (one.length !== many.length || samples === 1) return undefined;
  const grown = one.flatMap((dim, axis) => (many[axis] === dim * samples && dim > 0 ? [axis] : []));
  const isRest = one.every((dim, axis) => grown.includes(axis) || many[axis] === dim);
  return grown.length === 1 && isRest ? grown[0] : undefined;
}

/** Whether the file fixes the length of some of these axes. */
export function isFixed(graph: Graph, { axes }: Batching): boolean {
  return graph.feeds.some(({ name, shape }) => typeof shape?.[axes.get(name) ?? -1] === "number");
}

/**
 * The graph with these axes free: their lengths become symbolic, and constant target shapes that spell out the 1 of one
 * sample follow the number of samples. What it computes must be proved by running. Notes on the shapes of inner values and
 * outputs are left to {@link withNotedShapes}.
 */
export function withFreeAxes(graph: Graph, { axes }: Batching, one: ProbeRun): Graph {
  const inputs = new Set(graph.feeds.map(({ name }) => name));
  const isOneSample = (name = ""): boolean => inputs.has(name) || one.values.get(name)?.dims[0] === 1;
  const initializers = new Map(graph.initializers);
  const names = new FreshNames(graph);
  const nodes = graph.nodes.map((node) => {
    const target = node.opType === "Reshape" ? graph.initializers.get(node.inputs[1] as string) : undefined;
    const dims = target && Array.from(target.numbers);
    if (!target || dims?.[0] !== 1 || !isOneSample(node.inputs[0])) return node;
    const name = names.fresh(`${node.outputs[0]}/batch`);
    initializers.set(name, int64([dims.includes(-1) ? 0 : -1, ...dims.slice(1)], target.dims));
    return { ...node, inputs: [node.inputs[0] as string, name] };
  });
  return graph.with({
    nodes,
    initializers,
    inputs: graph.inputs.map((info) => (graph.initializers.has(info.name) ? info : freed(info, axes.get(info.name)))),
    outputs: graph.outputs.map((info) => ({ ...info, shape: undefined })),
    valueInfo: new Map(),
  });
}

/** The graph with what the file notes of outputs and inner values, the axis that follows the samples free in each. */
export function withNotedShapes(graph: Graph, noted: Graph, axisOf: (name: string) => number | undefined): Graph {
  const known = [...noted.valueInfo].filter(([name]) => axisOf(name) !== undefined);
  return graph.with({
    outputs: noted.outputs.map((info) => freed(info, axisOf(info.name))),
    valueInfo: new Map(known.map(([name, info]) => [name, freed(info, axisOf(name))])),
  });
}

function freed(info: ValueInfo, axis: number | undefined): ValueInfo {
  if (axis === undefined || typeof info.shape?.[axis] !== "number") return info;
  return { ...info, shape: info.shape.map((dim, at) => (at === axis ? "N" : dim)) };
}
