/**
 * How operators are read as plain ones that stand for them, so that all that is known of those holds, and fused again when they
 * are written. Which ones: `fused-operators.ts`, `quantised-operators.ts`, `unit-means.ts`.
 */
import { type Attribute, type Graph, type Node, readsOf } from "./graph.ts";
import { float32, int64, isFloat, type Tensor } from "./tensor.ts";

export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
export const int = (value: number): Attribute => ({ kind: "int", value });

/** An input list without left-out inputs at its end. */
export function withoutEmpty(inputs: readonly string[]): string[] {
  const all = [...inputs];
  while (all.at(-1) === "") all.pop();
  return all;
}

/** A fused node and the plain ones that stand for it. */
export interface Fused {
  readonly node: Node;
  /** Outputs of the plain nodes, in their order. */
  readonly parts: readonly string[];
  /** Reals among the constants that they read: the file does not hold them. */
  readonly reals: readonly string[];
  /** How many of these are single numbers; others are made of what the node reads. */
  readonly scalars: number;
}

/** By the first output. */
export type FusedNodes = ReadonlyMap<string, Fused>;

/** The opset from which on an operator takes its axes as an input. */
const AXES_AS_INPUT = { ReduceSum: 13, ReduceMean: 18, Unsqueeze: 13 } as const;

/** The plain nodes of one fused node while they are made. */
export class Parts {
  readonly nodes: Node[] = [];
  readonly constants: Map<string, Tensor> = new Map();
  readonly opset: number;
  readonly #output: string;
  /** Of the fused node; the first part has it too. */
  readonly #name: string;

  constructor(output: string, name: string, opset: number) {
    this.opset = opset;
    this.#output = output;
    this.#name = name || output;
  }

  /** Appends a node; `output`: default a name of its own. */
  op(opType: string, inputs: readonly string[], attributes: Node["attributes"] = {}, output?: string): string {
    const twins = this.nodes.filter((node) => node.opType === opType).length; // the same names, whatever parts are left out
    const name = output ?? `${this.#output}/${opType}${twins}`;
    const plain = `${name}/plain`;
    const own = this.nodes.length === 0 ? this.#name : plain === this.#name ? `${plain}/last` : plain;
    this.nodes.push({ name: own, opType, domain: "", inputs, outputs: [name], attributes });
    return name;
  }

  constant(tensor: Tensor): string {
    const name = `${this.#output}/constant${this.constants.size}`;
    this.constants.set(name, tensor);
    return name;
  }

  scalar(value: number): string {
    return this.constant(float32([value], []));
  }

  /** Sum or mean over axes; `axesName`: an input that holds them. */
  reduce(
    opType: "ReduceSum" | "ReduceMean",
    x: string,
    axes: readonly number[],
    { keepdims = 1, axesName }: { readonly keepdims?: number; readonly axesName?: string | undefined } = {},
    output?: string,
  ): string {
    const kept = { keepdims: int(keepdims) };
    if (this.opset < AXES_AS_INPUT[opType]) return this.op(opType, [x], { axes: ints(axes), ...kept }, output);
    return this.op(opType, [x, axesName ?? this.constant(int64(axes))], kept, output);
  }

  unsqueeze(x: string, axes: readonly number[]): string {
    if (this.opset < AXES_AS_INPUT.Unsqueeze) return this.op("Unsqueeze", [x], { axes: ints(axes) });
    return this.op("Unsqueeze", [x, this.constant(int64(axes))]);
  }
}

export interface Fusion {
  /** Appends what the node stands for; its last part gives `output`. False for forms that are not known. */
  expand(parts: Parts, node: Node, output: string, graph: Graph): boolean;
  /** Inputs and attributes of the fused node, from its parts as they are now; undefined: the parts stay. */
  fuse(parts: readonly Node[], node: Node, graph: Graph): Refused | undefined;
}

interface Refused extends Pick<Node, "inputs" | "attributes"> {
  /** What it stores otherwise than its parts. */
  readonly initializers?: ReadonlyMap<string, Tensor>;
}

/** What is read as plain operators, by domain and name. */
export type Fusions = Readonly<Record<string, Fusion>>;

const keyOf = ({ domain, opType }: Node): string => (domain === "" ? opType : `${domain}.${opType}`);

/** The graph with plain operators in place of fused ones, as far as their forms are known; of those nodes that are wanted. */
export function expandFused(
  graph: Graph,
  fusions: Fusions,
  opset: number,
  isWanted: (node: Node) => boolean = () => true,
): { readonly graph: Graph; readonly fused: FusedNodes } {
  const fused = new Map<string, Fused>();
  const initializers = new Map(graph.initializers);
  const outer = new Set(graph.nodes.flatMap((node) => readsOf(node).filter((name) => !node.inputs.includes(name))));
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const fusion = isWanted(node) ? fusions[keyOf(node)] : undefined;
    const [output = ""] = node.outputs;
    if (!fusion || output === "") return [node];
    const parts = new Parts(output, node.name, opset);
    if (!fusion.expand(parts, node, output, graph)) return [node];
    for (const [name, tensor] of parts.constants) initializers.set(name, tensor);
    const names = parts.nodes.flatMap((part) => part.outputs);
    const reals = [...parts.constants].filter(([, { type }]) => isFloat(type));
    const scalars = reals.filter(([, { size }]) => size === 1).length;
    fused.set(output, { node, parts: names, reals: reals.map(([name]) => name), scalars });
    return parts.nodes;
  });
  if (fused.size === 0) return { graph, fused };
  const whole = graph.with({ nodes, initializers });
  for (const name of new Set([...fused.values()].flatMap(({ node }) => node.inputs))) {
    const { uses = [], isOutput = false } = whole.value(name) ?? {};
    if (uses.length === 0 && !isOutput && !outer.has(name)) initializers.delete(name); // taken apart
  }
  return { graph: whole.with({ initializers }), fused };
}

/** The graph with its fused operators again, where all their parts are still there. */
export function fuseAgain(graph: Graph, fused: FusedNodes, fusions: Fusions): Graph {
  if (fused.size === 0) return graph;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const instead = new Map<Node, Node>();
  const stored = new Map(graph.initializers);
  const gone = new Set<Node>();
  for (const { node, parts } of fused.values()) {
    const now = parts.map((name) => makers.get(name));
    const inner = parts.filter((name) => !node.outputs.includes(name));
    const isReadElsewhere = inner.some((name) => {
      const { uses = [], isOutput = false } = graph.value(name) ?? {};
      return isOutput || uses.some((use) => !now.includes(use.node));
    });
    if (isReadElsewhere || !now.every((part) => part !== undefined)) continue;
    const made = fusions[keyOf(node)]?.fuse(now as Node[], node, graph);
    if (!made) continue;
    const { initializers: own = new Map<string, Tensor>(), inputs, attributes } = made;
    for (const [name, tensor] of own) stored.set(name, tensor);
    instead.set(now.at(-1) as Node, { ...node, inputs, attributes });
    for (const part of now) gone.add(part as Node);
  }
  const nodes = graph.nodes.flatMap((node) => instead.get(node) ?? (gone.has(node) ? [] : [node]));
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const isLeft = (name: string): boolean => read.has(name) || ![...gone].some(({ inputs }) => inputs.includes(name)); // what only parts read goes with them
  return graph.with({ nodes, initializers: new Map([...stored].filter(([name]) => isLeft(name))) });
}
