/** Sums of embeddings of words, positions and segments, normalised, as BERT begins; and embeddings of positions by rotation. */
import { MASKS_FROM_OPSET, range } from "./attention-masks.ts";
import { floatAttribute, intAttribute } from "./attributes.ts";
import { type Fusion, int, type Parts, withoutEmpty } from "./fused.ts";
import type { Node } from "./graph.ts";
import { int64, tensorOf } from "./tensor.ts";

/** Slots of EmbedLayerNormalization. */
const [IDS, SEGMENTS, WORDS, POSITIONS, SEGMENT_TABLE, GAMMA, BETA, MASK, POSITION_IDS] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

export const EmbedLayerNormalization: Fusion = {
  expand(p, node, output, graph) {
    const input = (slot: number): string => node.inputs[slot] ?? "";
    const [, lengths = "", sum = ""] = node.outputs;
    if (p.opset < MASKS_FROM_OPSET) return false;
    const own = input(POSITION_IDS) === "" ? range(p, input(IDS), 1) : input(POSITION_IDS);
    const words = p.op("Gather", [input(WORDS), input(IDS)]);
    const positions = p.op("Gather", [input(POSITIONS), own]);
    const isLast = input(SEGMENTS) === "" && sum !== "";
    const placed = p.op("Add", [words, positions], {}, isLast ? sum : undefined);
    const table = [input(SEGMENT_TABLE), input(SEGMENTS)];
    const all = input(SEGMENTS) === "" ? placed : p.op("Add", [placed, p.op("Gather", table)], {}, sum || undefined);
    const { uses = [], isOutput = false } = graph.value(lengths) ?? {};
    if (uses.length > 0 || isOutput) lengthsOf(p, input(MASK), input(IDS), lengths);
    const epsilon = { kind: "float", value: floatAttribute(node, "epsilon", 1e-12) } as const;
    p.op("LayerNormalization", withoutEmpty([all, input(GAMMA), input(BETA)]), { axis: int(-1), epsilon }, output);
    return true;
  },
  fuse(parts, node) {
    const inputs = [...node.inputs];
    const made = new Set(parts.flatMap(({ outputs }) => outputs));
    const tables = parts.filter(({ opType, inputs: [first] }) => opType === "Gather" && !made.has(first ?? ""));
    const slots = node.inputs[SEGMENTS] ? [WORDS, POSITIONS, SEGMENT_TABLE] : [WORDS, POSITIONS];
    slots.forEach((slot, at) => {
      inputs[slot] = tables[at]?.inputs[0] ?? "";
    });
    const [, gamma = "", beta = ""] = parts.at(-1)?.inputs ?? [];
    [inputs[GAMMA], inputs[BETA]] = [gamma, beta];
    return { inputs, attributes: node.attributes };
  },
};

/** How many positions a mask keeps; 0 for each sample where there is none. */
function lengthsOf(p: Parts, mask: string, ids: string, output: string): void {
  const counted = mask === "" ? p.op("Mul", [ids, p.constant(tensorOf("int32", [0], []))]) : mask;
  p.reduce("ReduceSum", counted, [1], { keepdims: 0 }, output);
}

/** Slots of X, positions, cosines and sines. */
const ROTARY = { "": [0, 3, 1, 2], "com.microsoft": [0, 1, 2, 3] } as const;

/** Pairs of numbers of each head of X [N, T, heads * size] turned by angles of their position. */
export const RotaryEmbedding: Fusion = {
  expand(p, node, output, { initializers }) {
    const [x, at, cos, sin] = slotsOf(node).map((slot) => node.inputs[slot] ?? "") as [string, string, string, string];
    const heads = intAttribute(node, "num_heads", 0);
    const half = initializers.get(cos)?.dims.at(-1);
    const isOther = ["interleaved", "is_packed_batching"].some((name) => intAttribute(node, name, 0) !== 0);
    const turned = intAttribute(node, "rotary_embedding_dim", 0);
    if (heads === 0 || half === undefined || at === "" || isOther) return false;
    const apart = p.op("Reshape", [x, p.constant(int64([0, 0, heads, -1]))]);
    const part = (from: number, to: number): string =>
      p.op("Slice", [apart, ...[from, to, 3].map((value) => p.constant(int64([value])))]);
    const [first, second] = [part(0, half), part(half, 2 * half)];
    const [c, s] = [cos, sin].map((table) => p.unsqueeze(p.op("Gather", [table, at]), [2])) as [string, string];
    const product = (a: string, b: string): string => p.op("Mul", [a, b]);
    const pieces = [
      p.op("Sub", [product(first, c), product(second, s)]),
      p.op("Add", [product(first, s), product(second, c)]),
      ...(turned === 0 ? [] : [part(2 * half, Number.MAX_SAFE_INTEGER)]),
    ];
    p.op("Reshape", [p.op("Concat", pieces, { axis: int(-1) }), p.constant(int64([0, 0, -1]))], {}, output);
    return true;
  },
  fuse([apart], node, graph) {
    const heads = graph.initializers.get(apart?.inputs[1] ?? "")?.numbers[2];
    if (!apart || heads === undefined) return undefined;
    const inputs = [...node.inputs];
    inputs[0] = apart.inputs[0] ?? "";
    return { inputs, attributes: { ...node.attributes, num_heads: int(heads) } };
  },
};

const slotsOf = ({ domain }: Node): readonly number[] => ROTARY[domain === "" ? "" : "com.microsoft"];
