/**
 * Operators on integers with scales and zero points as inputs (QLinearConv and its kin): read as DequantizeLinear, the plain operator and
 * QuantizeLinear, and put together again when they are written.
 */
import { intAttribute } from "./attributes.ts";
import type { Fusion, Parts } from "./fused.ts";
import type { Graph, Node } from "./graph.ts";
import { type Tensor, tensorOf } from "./tensor.ts";

/** Three inputs in a row: integers, their scale, their zero point. */
type Quantised = readonly [values: string, scale: string, zero: string];

const at = (node: Node, slot: number): Quantised =>
  [0, 1, 2].map((offset) => node.inputs[slot + offset] ?? "") as unknown as Quantised;

const present = (inputs: readonly string[]): string[] => inputs.filter((name) => name !== "");

function unpack(p: Parts, input: Quantised, axis: number): string {
  return p.op("DequantizeLinear", present(input), { axis: { kind: "int", value: axis } });
}

/** An int32 bias, whose scale is that of the data times that of the weights. */
function unpackBias(p: Parts, bias: string, data: Tensor, weights: Tensor, axis: number): string {
  const [step] = [data.numbers[0] as number];
  const scale = Array.from(weights.numbers, (one) => one * step);
  const stored = p.constant(tensorOf("float32", scale, weights.dims));
  return p.op("DequantizeLinear", [bias, stored], { axis: { kind: "int", value: axis } });
}

/** The inputs of a part that unpacks: as the file has them now. */
const inputsOf = (part: Node | undefined): string[] => {
  const [values = "", scale = "", zero = ""] = part?.inputs ?? [];
  return [values, scale, zero];
};

/** Data and weights in slots 0 and 3, the result's scale in 6, perhaps a bias in `biasSlot`. */
function layer(opType: string, biasSlot: number | undefined, resultSlot: number): Fusion {
  return {
    expand(p, node, output, { initializers }) {
      const [dataScale, weights, weightScale] = [1, 3, 4].map((slot) => initializers.get(node.inputs[slot] ?? ""));
      if (!dataScale || !weights || !weightScale || dataScale.size !== 1) return false;
      const isRows = opType === "Conv" || (opType === "Gemm" && intAttribute(node, "transB", 0) !== 0);
      const axis = isRows ? 0 : weights.dims.length - 1;
      const made = [unpack(p, at(node, 0), 0), unpack(p, at(node, 3), axis)];
      const bias = biasSlot === undefined ? "" : (node.inputs[biasSlot] ?? "");
      if (bias !== "") made.push(unpackBias(p, bias, dataScale, weightScale, 0));
      const result = p.op(opType, made, node.attributes);
      const [, scale = "", zero = ""] = at(node, resultSlot - 1);
      if (scale === "") return false;
      p.op("QuantizeLinear", present([result, scale, zero]), {}, output);
      return true;
    },
    fuse(parts, node, graph) {
      const hasBias = biasSlot !== undefined && (node.inputs[biasSlot] ?? "") !== "";
      const bias = hasBias ? (parts[2]?.inputs[0] ?? "") : "";
      const plain = parts.at(-2);
      const inputs = [...node.inputs];
      inputsOf(parts[0]).forEach((name, offset) => {
        inputs[offset] = name;
      });
      inputsOf(parts[1]).forEach((name, offset) => {
        inputs[3 + offset] = name;
      });
      if (hasBias) inputs[biasSlot] = bias;
      const added = hasBias ? undefined : parts.at(-2)?.inputs[2]; // by a repair
      const packed = added === undefined ? undefined : packBias(added, inputs, graph);
      if (added !== undefined && (!packed || biasSlot === undefined)) return undefined;
      if (packed && biasSlot !== undefined) {
        while (inputs.length < biasSlot) inputs.push("");
        inputs[biasSlot] = added as string;
      }
      const [, scale = "", zero = ""] = inputsOf(parts.at(-1));
      [inputs[resultSlot], inputs[resultSlot + 1]] = [scale, zero];
      return (
        plain && {
          ...(packed && { initializers: new Map([[added as string, packed]]) }),
          ...{ inputs, attributes: { ...node.attributes, ...plain.attributes } },
        }
      );
    },
  };
}

/** A bias of reals as integers, in the steps that the operator takes them in. */
function packBias(name: string, inputs: readonly string[], graph: Graph): Tensor | undefined {
  const [bias, data, weights] = [name, inputs[1], inputs[4]].map((one) => graph.initializers.get(one ?? ""));
  if (!bias || !data || !weights) return undefined;
  const steps = Array.from(weights.numbers, (scale) => scale * (data.numbers[0] as number));
  const rounded = Array.from(bias.numbers, (value, o) =>
    Math.round(value / (steps[steps.length === 1 ? 0 : o] as number)),
  );
  return tensorOf("int32", rounded, bias.dims);
}

/** `count` inputs of three slots each, from slot `first` on, through a plain operator, and the result's scale in slot `result`. */
function through(
  opType: string,
  count: (node: Node) => number,
  first: number,
  result: number,
  own: readonly string[] = [],
): Fusion {
  return {
    expand(p, node, output) {
      if (own.some((name) => intAttribute(node, name, 0) !== 0)) return false;
      const inputs = Array.from({ length: count(node) }, (_, i) => unpack(p, at(node, first + 3 * i), 0));
      const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !own.includes(name)));
      const made = p.op(opType, inputs, attributes);
      p.op("QuantizeLinear", present([made, node.inputs[result] ?? "", node.inputs[result + 1] ?? ""]), {}, output);
      return true;
    },
    fuse(parts, node) {
      const inputs = [...node.inputs];
      for (let i = 0; i < count(node); i++) {
        inputsOf(parts[i]).forEach((name, offset) => {
          inputs[first + 3 * i + offset] = name;
        });
      }
      return { inputs, attributes: { ...node.attributes, ...parts.at(-2)?.attributes } };
    },
  };
}

const one = (): number => 1;
const two = (): number => 2;

/** Softmax: of one axis from opset 13 on, of all axes from one on before; both are the same for the last. */
const softmax: Fusion = {
  expand(p, node, output, graph) {
    const { opset, ...attributes } = node.attributes;
    const isOfOneAxis = opset?.kind === "int" && opset.value >= 13;
    if (intAttribute(node, "axis", -1) !== -1 && isOfOneAxis !== p.opset >= 13) return false;
    return through("Softmax", one, 0, 3).expand(p, { ...node, attributes }, output, graph);
  },
  fuse: (parts, node, graph) => {
    const again = through("Softmax", one, 0, 3).fuse(parts, node, graph);
    return again && { ...again, attributes: node.attributes };
  },
};

/** By domain and name. */
export const quantisedOperators: Readonly<Record<string, Fusion>> = {
  QLinearConv: layer("Conv", 8, 6),
  QLinearMatMul: layer("MatMul", undefined, 6),
  "com.microsoft.QGemm": layer("Gemm", 6, 7),
  "com.microsoft.QLinearAdd": through("Add", two, 0, 6),
  "com.microsoft.QLinearMul": through("Mul", two, 0, 6),
  "com.microsoft.QLinearSigmoid": through("Sigmoid", one, 0, 3),
  "com.microsoft.QLinearSoftmax": softmax,
  "com.microsoft.QLinearLeakyRelu": through("LeakyRelu", one, 0, 3),
  "com.microsoft.QLinearAveragePool": through("AveragePool", one, 0, 3, ["channels_last"]),
  "com.microsoft.QLinearGlobalAveragePool": through("GlobalAveragePool", one, 0, 3, ["channels_last"]),
  "com.microsoft.QLinearConcat": through("Concat", (node) => Math.floor((node.inputs.length - 2) / 3), 2, 0),
};
