/** Normalisations as plain operators: over the last axis, by the root of the mean square, or with what is added before. */
import { floatAttribute, intAttribute } from "./attributes.ts";
import { type Fusion, int, type Parts, withoutEmpty } from "./fused.ts";
import type { Node } from "./graph.ts";

/** x / sqrt(mean(x^2) + epsilon) * scale */
function rootMeanSquare(p: Parts, x: string, scale: string, epsilon: number, output: string): void {
  const mean = p.reduce("ReduceMean", p.op("Mul", [x, x]), [-1]);
  const length = p.op("Sqrt", [p.op("Add", [mean, p.scalar(epsilon)])]);
  p.op("Mul", [p.op("Div", [x, length]), scale], {}, output);
}

export const RootMeanSquare: Fusion = {
  expand(p, node, output) {
    const [x = "", scale = ""] = node.inputs;
    const isSingle = !node.outputs.slice(1).some((name) => name !== "");
    if (intAttribute(node, "axis", -1) !== -1 || !isSingle) return false;
    rootMeanSquare(p, x, scale, floatAttribute(node, "epsilon", 1e-5), output);
    return true;
  },
  fuse(parts, node) {
    const [square, last] = [parts[0], parts.at(-1)];
    return square && last && { inputs: [square.inputs[0] ?? "", last.inputs[1] ?? ""], attributes: node.attributes };
  },
};

/** Output of the operators that add something first: what they normalise. */
const SUM = 3;

/** The sum of two inputs and perhaps a bias, under the name that the node gives it, if it does. */
function skipSum(p: Parts, node: Node, bias: string): string | undefined {
  const [x = "", skip = ""] = node.inputs;
  if (node.outputs.some((name, at) => name !== "" && at !== 0 && at !== SUM)) return undefined;
  const name = node.outputs[SUM] || undefined;
  if (bias === "") return p.op("Add", [x, skip], {}, name);
  return p.op("Add", [p.op("Add", [x, skip]), bias], {}, name);
}

export const SkipLayerNormalization: Fusion = {
  expand(p, node, output) {
    const [, , gamma = "", beta = "", bias = ""] = node.inputs;
    const sum = skipSum(p, node, bias);
    if (sum === undefined) return false;
    const epsilon = floatAttribute(node, "epsilon", 1e-12);
    const attributes: Node["attributes"] = { axis: int(-1), epsilon: { kind: "float", value: epsilon } };
    p.op("LayerNormalization", withoutEmpty([sum, gamma, beta]), attributes, output);
    return true;
  },
  fuse(parts, node) {
    const [sum, normalized] = [parts[0], parts.at(-1)];
    if (!sum || !normalized) return undefined;
    const [, gamma = "", beta = ""] = normalized.inputs;
    const bias = node.inputs[4] ? (parts[1]?.inputs[1] ?? "") : "";
    return { inputs: withoutEmpty([...sum.inputs, gamma, beta, bias]), attributes: node.attributes };
  },
};

export const SkipRootMeanSquare: Fusion = {
  expand(p, node, output) {
    const [, , scale = "", bias = ""] = node.inputs;
    const sum = skipSum(p, node, bias);
    if (sum === undefined) return false;
    rootMeanSquare(p, sum, scale, floatAttribute(node, "epsilon", 1e-12), output);
    return true;
  },
  fuse(parts, node) {
    const [sum, last] = [parts[0], parts.at(-1)];
    if (!sum || !last) return undefined;
    const bias = node.inputs[3] ? (parts[1]?.inputs[1] ?? "") : "";
    return { inputs: withoutEmpty([...sum.inputs, last.inputs[1] ?? "", bias]), attributes: node.attributes };
  },
};
