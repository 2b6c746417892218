/** Initial states of recurrent layers that are 0 anyway are left out: exporters compute them from the number of samples. */
import { tensorAttribute } from "./attributes.ts";
import type { Graph, Node } from "./graph.ts";
import type { Pass } from "./passes.ts";

const RECURRENT = new Set(["LSTM", "GRU", "RNN"]);

/** Whether a node is a layer that reads its own outputs at its next step. */
export function isRecurrent({ opType, domain }: Node): boolean {
  return domain === "" && RECURRENT.has(opType);
}

const STATES = [5, 6];

/** Operators that give the elements of input 0, some of them, or copies. */
const MOVES = new Set([
  "Slice",
  "Expand",
  "Reshape",
  "Unsqueeze",
  "Squeeze",
  "Cast",
  "Identity",
  "Transpose",
  "Gather",
  "Tile",
  "Concat",
  "Split",
]);

export const dropZeroStates: Pass = {
  name: "drop initial states of 0",
  run(graph) {
    let modified = false;
    const nodes = graph.nodes.map((node) => {
      if (!isRecurrent(node)) return node;
      const inputs = node.inputs.map((name, slot) => (STATES.includes(slot) && isZero(graph, name) ? "" : name));
      while (inputs.at(-1) === "") inputs.pop();
      if (inputs.join() === node.inputs.join()) return node;
      modified = true;
      return { ...node, inputs };
    });
    return { graph: modified ? graph.with({ nodes }) : graph, modified };
  },
};

function isZero(graph: Graph, name: string): boolean {
  if (name === "") return false;
  const stored = graph.initializers.get(name);
  if (stored)
    return !graph.inputs.some((input) => input.name === name) && Array.from(stored.numbers).every((x) => x === 0);
  const node = graph.value(name)?.producer;
  if (node?.domain !== "") return false;
  if (node.opType === "ConstantOfShape") return (tensorAttribute(node, "value")?.numbers[0] ?? 0) === 0;
  const read = node.opType === "Concat" ? node.inputs : node.inputs.slice(0, 1);
  return MOVES.has(node.opType) && read.every((input) => isZero(graph, input));
}
