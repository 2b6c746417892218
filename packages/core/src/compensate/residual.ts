/**
 * Residual streams: where a consumer's outputs are added to something that other layers made, it can put right what they
 * got wrong. It is then fitted to what the sum was in the original network, less what the others give now.
 */
import { floatAttribute } from "../graph/attributes.ts";
import type { Graph, Node } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { needed } from "../graph/traverse.ts";
import { nodeId } from "../units/places.ts";
import type { Consumer } from "./consumers.ts";

/** How a consumer's outputs z reach a sum: sum = scale * z + shift + other, by output. */
export interface Residual {
  /** Value of the sum, and the other value that is added. */
  readonly sum: string;
  readonly other: string;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** The sum that the consumer is a part of; undefined where there is none, or others of its parts are fitted later. */
export function residualOf(graph: Graph, consumer: Consumer, consumers: readonly Consumer[]): Residual | undefined {
  const outputs = graph.initializers.get(consumer.bias)?.size ?? 0;
  let value = consumer.output;
  let affine: { readonly scale: Float64Array; readonly shift: Float64Array } = {
    scale: new Float64Array(outputs).fill(1),
    shift: new Float64Array(outputs),
  };
  let node = onlyReader(graph, value);
  if (node?.opType === "BatchNormalization" && node.domain === "" && node.inputs[0] === value) {
    const own = affineOf(graph, node);
    if (!own) return undefined;
    affine = own;
    value = node.outputs[0] as string;
    node = onlyReader(graph, value);
  }
  if (node?.opType !== "Add" || node.domain !== "") return undefined;
  const other = node.inputs.find((name) => name !== value);
  if (other === undefined || graph.initializers.has(other)) return undefined;
  const makers = new Set(needed(graph, [other]).map(nodeId));
  const later = consumers.slice(consumers.indexOf(consumer) + 1);
  if (later.some((one) => makers.has(nodeId(one.node)))) return undefined;
  return { sum: nodeId(node), other, ...affine };
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

/**
 * Wanted rows[rows, outputs] of the consumer: (sum - other - shift) / scale.
 *
 * @param sums rows[rows, outputs] of the sum in the original network
 * @param others rows[rows, kept outputs] of the other value now
 * @param kept outputs that are left, by their number in the intact layer; undefined: all
 */
export function wantedRows(
  { scale, shift }: Residual,
  sums: ArrayLike<number>,
  others: ArrayLike<number>,
  kept: readonly number[] | undefined,
): Float64Array {
  const outputs = scale.length;
  const width = kept?.length ?? outputs;
  const rows = sums.length / outputs;
  const wanted = new Float64Array(sums.length);
  for (let i = 0; i < width; i++) {
    const o = kept ? (kept[i] as number) : i;
    const [factor, base] = [scale[o] as number, shift[o] as number];
    if (factor === 0) continue;
    for (let row = 0; row < rows; row++) {
      const at = row * outputs + o;
      wanted[at] = ((sums[at] as number) - (others[row * width + i] as number) - base) / factor;
    }
  }
  return wanted;
}
