/** Nodes that make a model give something else at every run, or in every batch: such a model cannot be measured or proved. */
import { ShrinkError } from "../errors.ts";
import { intAttribute } from "./attributes.ts";
import { describe, type Graph, type Node } from "./graph.ts";
import { removeDead, runPasses } from "./passes.ts";

const RANDOM = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Multinomial",
  "Bernoulli",
]);

/** Throws a `model` error that names the first node that draws random numbers or is in training mode. */
export function refuseRandomness(graph: Graph): void {
  for (const node of runPasses(graph, [removeDead]).nodes) {
    const problem = problemOf(node, graph);
    if (problem) throw new ShrinkError("model", `${describe(node)}: ${problem}`);
  }
}

const AGAIN = "export the model in evaluation mode, such as after model.eval()";

function problemOf(node: Node, graph: Graph): string | undefined {
  if (node.domain !== "") return undefined;
  if (RANDOM.has(node.opType)) {
    return "draws random numbers, so that no two runs agree, expected a model that gives the same every time; feed the numbers as an input, or export the model without them";
  }
  if (node.opType === "Dropout" && isTrue(graph, node.inputs[2])) {
    return `is in training mode and drops at random, expected a model for inference; ${AGAIN}`;
  }
  const hasBatchStatistics = intAttribute(node, "training_mode", 0) === 1 || node.outputs.slice(1).some(Boolean);
  if (node.opType === "BatchNormalization" && hasBatchStatistics) {
    return `is in training mode and normalises by the batch at hand, expected a model for inference; ${AGAIN}`;
  }
  return undefined;
}

function isTrue(graph: Graph, name = ""): boolean {
  const constant = graph.initializers.get(name) ?? constantOf(graph.value(name)?.producer);
  return constant?.numbers[0] === 1;
}

function constantOf(node: Node | undefined): { readonly numbers: ArrayLike<number> } | undefined {
  const value = node?.opType === "Constant" ? node.attributes.value : undefined;
  return value?.kind === "tensor" ? value.value : undefined;
}
