/**
 * What becomes of a consumer's outputs z right behind it: u = scale * z + shift, plus another value where they are added to
 * a residual stream, and perhaps a rectifier. It tells what the consumer should be fitted to. On a residual stream it can
 * put right what the layers before it got wrong: it is fitted to what the sum was in the original network, less what the
 * others give now. Where a rectifier follows, it only matters that what was off stays off.
 */
import { floatAttribute } from "../graph/attributes.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { dimsOf } from "../graph/shapes.ts";
import { type Tensor, tensorOf } from "../graph/tensor.ts";
import { needed } from "../graph/traverse.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Consumer } from "./consumers.ts";

export interface Outlet {
  /** By output. */
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** The sum u and the other value in it; undefined where there is none, or layers that it depends on are fitted later. */
  readonly sum?: { readonly value: string; readonly other: string };
  /** Whether u is read by a Relu alone. */
  readonly isRectified: boolean;
}

/** `later`: ids of the layers that are not fitted before this one. */
export function outletOf(
  { model: { graph }, shapes }: Prunable,
  consumer: Consumer,
  later: ReadonlySet<string>,
): Outlet {
  const outputs = graph.initializers.get(consumer.bias)?.size ?? 0;
  let value = consumer.output;
  let affine: { readonly scale: Float64Array; readonly shift: Float64Array } = {
    scale: new Float64Array(outputs).fill(1),
    shift: new Float64Array(outputs),
  };
  let reader = onlyReader(graph, value);
  if (reader?.opType === "BatchNormalization" && reader.domain === "" && reader.inputs[0] === value) {
    const own = affineOf(graph, reader);
    if (own) {
      affine = own;
      value = reader.outputs[0] as string;
      reader = onlyReader(graph, value);
    }
  }
  const isRelu = (node: Node | undefined): boolean => node?.opType === "Relu" && node.domain === "";
  const other =
    reader?.opType === "Add" && reader.domain === "" ? reader.inputs.find((name) => name !== value) : undefined;
  if (other === undefined || graph.initializers.has(other)) return { ...affine, isRectified: isRelu(reader) };
  const sum = nodeId(reader as Node);
  const isBroadcast =
    dimsOf(shapes, other).join() !== dimsOf(shapes, sum).join() ||
    shapes.get(other)?.batchAxis !== shapes.get(sum)?.batchAxis;
  if (isBroadcast || needed(graph, [other]).some((node) => later.has(nodeId(node)))) {
    return { ...affine, isRectified: false };
  }
  return { ...affine, sum: { value: sum, other }, isRectified: isOnlyRectified(graph, sum) };
}

/** Whether nothing but rectifiers read the value. */
function isOnlyRectified(graph: Graph, value: string): boolean {
  const { uses = [], isOutput = false } = graph.value(value) ?? {};
  return uses.length > 0 && !isOutput && uses.every(({ node }) => node.opType === "Relu" && node.domain === "");
}

/** A normalisation at inference as scale * z + shift; undefined where its parameters are not constant. */
function affineOf(graph: Graph, node: Node): { scale: Float64Array; shift: Float64Array } | undefined {
  const tensors = node.inputs.slice(1, 5).map((name) => graph.initializers.get(name));
  if (tensors.some((tensor) => tensor === undefined)) return undefined;
  const [gamma, beta, mean, variance] = (tensors as Tensor[]).map(({ numbers }) =>
    Float64Array.from(numbers as ArrayLike<number>),
  ) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const scale = gamma.map((g, o) => g / Math.sqrt((variance[o] as number) + epsilon));
  return { scale, shift: beta.map((b, o) => b - (mean[o] as number) * (scale[o] as number)) };
}

function onlyReader(graph: Graph, value: string): Node | undefined {
  const { uses = [], isOutput = false } = graph.value(value) ?? {};
  return uses.length === 1 && !isOutput ? uses[0]?.node : undefined;
}

/** What a consumer's rows are fitted to. */
export interface Wanted {
  /** z[rows, outputs] */
  readonly rows: Tensor;
  /** Where u = 0, in z: [rows, outputs], or [1, outputs] where it is the same for all rows. */
  readonly thresholds: Tensor;
}

/** Wanted rows of a consumer without a sum: `rows` is what it gave in the original network. */
export function wantedAlone({ scale, shift }: Outlet, rows: Tensor): Wanted {
  const thresholds = shift.map((base, o) => (scale[o] === 0 ? 0 : -base / (scale[o] as number)));
  return { rows, thresholds: tensorOf(rows.type, thresholds, [1, scale.length]) };
}

/**
 * Wanted rows of a consumer that is a part of a sum: z = (u - shift - other) / scale.
 *
 * @param sums u[rows, outputs] in the original network
 * @param others rows[rows, kept outputs] of the other value now
 * @param kept outputs that are left, by their number in the intact layer; undefined: all
 */
export function wantedInSum(
  { scale, shift }: Outlet,
  sums: Tensor,
  others: Tensor,
  kept: readonly number[] | undefined,
): Wanted {
  const [values, now] = [sums.numbers, others.numbers];
  const outputs = scale.length;
  const width = kept?.length ?? outputs;
  const count = sums.size / outputs;
  const rows = new Float64Array(sums.size);
  const thresholds = new Float64Array(sums.size);
  for (let i = 0; i < width; i++) {
    const o = kept ? (kept[i] as number) : i;
    const [factor, base] = [scale[o] as number, shift[o] as number];
    if (factor === 0) continue;
    for (let row = 0; row < count; row++) {
      const at = row * outputs + o;
      const offset = base + (now[row * width + i] as number);
      rows[at] = ((values[at] as number) - offset) / factor;
      thresholds[at] = -offset / factor;
    }
  }
  return { rows: tensorOf(sums.type, rows, sums.dims), thresholds: tensorOf(sums.type, thresholds, sums.dims) };
}
