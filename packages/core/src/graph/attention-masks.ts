/** Which positions attention leaves out, as terms that are added to its scores [N, heads, T, S]. */
import { floatAttribute, intAttribute } from "./attributes.ts";
import { int, type Parts } from "./fused.ts";
import type { Graph, Node } from "./graph.ts";
import { float32, int64 } from "./tensor.ts";

/** Added where a position must not be seen at all. */
const NEVER = -3.4028234663852886e38;
/** From here on `Range` and comparisons of integers are known. */
export const MASKS_FROM_OPSET = 11;
/** Added to what a mask leaves out, unless the node says otherwise. */
const MASKED = -10_000;

/**
 * Terms of a mask (lengths [N], or numbers above 0 to keep: [N, S] or [N, T, S]; "": none) and of attention that only looks back.
 * Undefined for masks of other forms.
 */
export function maskTerms(
  p: Parts,
  node: Node,
  { mask, scores, graph }: { readonly mask: string; readonly scores: string; readonly graph: Graph },
): readonly string[] | undefined {
  const terms: string[] = [];
  const isAny = mask !== "" || intAttribute(node, "unidirectional", 0) !== 0;
  if (isAny && p.opset < MASKS_FROM_OPSET) return undefined;
  if (mask !== "") {
    const rank = rankOf(graph, mask);
    const kept = keptPositions(p, mask, rank, scores);
    if (kept === undefined) return undefined;
    const filter = floatAttribute(node, "mask_filter_value", MASKED);
    terms.push(p.op("Where", [kept, p.scalar(0), p.scalar(filter)]));
  }
  if (intAttribute(node, "unidirectional", 0)) terms.push(causalTerm(p, scores));
  return terms;
}

/** Nothing of what comes later: 0 where column <= row [T, S]. */
export function causalTerm(p: Parts, scores: string): string {
  const rows = p.unsqueeze(range(p, scores, 2), [1]);
  return p.op("Where", [p.op("Less", [rows, range(p, scores, 3)]), p.scalar(NEVER), p.scalar(0)]);
}

/** A term for scores from a mask that is true where something is seen. */
export function termOfTrue(p: Parts, mask: string): string {
  return p.op("Where", [mask, p.scalar(0), p.scalar(NEVER)]);
}

/** 0 ... length of the axis - 1 */
export function range(p: Parts, x: string, axis: number): string {
  const scalar = (value: number): string => p.constant(int64([value], []));
  const length = p.op("Gather", [p.op("Shape", [x]), scalar(axis)], { axis: int(0) });
  return p.op("Range", [scalar(0), length, scalar(1)]);
}

/** True where a position is seen, over [N, heads, T, S]. */
function keptPositions(p: Parts, mask: string, rank: number | undefined, scores: string): string | undefined {
  if (rank === 1) {
    const lengths = p.unsqueeze(p.op("Cast", [mask], { to: int(INT64) }), [1, 2, 3]);
    return p.op("Less", [range(p, scores, 3), lengths]);
  }
  if (rank !== 2 && rank !== 3) return undefined;
  const seen = p.op("Greater", [p.op("Cast", [mask], { to: int(FLOAT) }), p.constant(float32([0], []))]);
  return p.unsqueeze(seen, rank === 2 ? [1, 2] : [1]);
}

const [FLOAT, INT64] = [1, 7];

/** How many axes a value has, from what declares or makes it; undefined: unknown. */
export function rankOf(graph: Graph, name: string): number | undefined {
  const stored = graph.initializers.get(name);
  if (stored) return stored.dims.length;
  const declared = graph.feeds.find((feed) => feed.name === name) ?? graph.valueInfo.get(name);
  if (declared?.shape) return declared.shape.length;
  const maker = graph.value(name)?.producer;
  if (!maker) return undefined;
  const [input = ""] = maker.inputs;
  if (maker.opType === "Cast" || maker.opType === "Identity") return rankOf(graph, input);
  if (maker.opType === "ReduceSum" && intAttribute(maker, "keepdims", 1) === 0) {
    const rank = rankOf(graph, input);
    return rank === undefined ? undefined : rank - 1; // lengths: a sum over one axis
  }
  return maker.opType === "EmbedLayerNormalization" && name === maker.outputs[1] ? 1 : undefined;
}
