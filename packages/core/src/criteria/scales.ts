/** The factors that folding a BatchNormalization into the layer before it would multiply the layer's weights by. */
import { floatAttribute, intAttribute } from "../graph/attributes.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import type { LayerWeights } from "./layer-weights.ts";
import type { WeightAxes } from "./weight-axes.ts";

/**
 * |gamma| / sqrt(variance + epsilon) by output channel, of the BatchNormalization that alone reads the node's output, or its
 * sum with a constant; undefined where there is none, or its parameters are not constant.
 */
export function scalesBehind(graph: Graph, node: Node): Float64Array | undefined {
  const [value = ""] = node.outputs;
  const reader = onlyReader(graph, value);
  if (reader?.domain !== "") return undefined;
  if (reader.opType === "Add") {
    const isBias = reader.inputs.some((name) => graph.initializers.has(name));
    return isBias ? scalesBehind(graph, reader) : undefined;
  }
  if (reader.opType !== "BatchNormalization" || reader.inputs[0] !== value) return undefined;
  const [gamma, variance] = [reader.inputs[1], reader.inputs[4]].map((name) => graph.initializers.get(name ?? ""));
  if (!gamma || !variance) return undefined;
  const epsilon = floatAttribute(reader, "epsilon", 1e-5);
  const variances = variance.numbers;
  return Float64Array.from(gamma.numbers, (scale, channel) => {
    return Math.abs(scale) / Math.sqrt((variances[channel] as number) + epsilon);
  });
}

/**
 * The output channel (axis 1 of the output) that an element of the weights adds to, by its place in the tensor; undefined
 * where an element adds to several.
 */
export function channelOf({ node, slot, dims }: LayerWeights, axes: WeightAxes): ((at: number) => number) | undefined {
  if (node.opType === "ConvTranspose" && slot === 1) {
    const [inputs = 1, perGroup = 1] = dims; // W[Cin, Cout / group, ...kernel]
    const window = sizeOf(dims.slice(2));
    const inputsPerGroup = inputs / intAttribute(node, "group", 1);
    return (at) => {
      const row = Math.floor(at / window);
      return Math.floor(Math.floor(row / perGroup) / inputsPerGroup) * perGroup + (row % perGroup);
    };
  }
  const axis = axes.producing(slot, 1);
  if (axis === undefined) return undefined;
  const inner = sizeOf(dims.slice(axis + 1));
  const length = dims[axis] as number;
  return (at) => Math.floor(at / inner) % length;
}

function onlyReader(graph: Graph, name: string): Node | undefined {
  const { uses = [], isOutput = false } = graph.value(name) ?? {};
  return uses.length === 1 && !isOutput && uses[0]?.slot !== -1 ? uses[0]?.node : undefined;
}
