/**
 * The graph model: nodes, values and initializers, with value names as identity.
 *
 * Graphs are never changed in place. A pass builds a new one with {@link Graph.with}, sharing every node and tensor
 * that stays the same. Who produces and who uses a value is indexed on first question.
 */
import type { ElementType, Tensor } from "./tensor.ts";

/** Name, element type and (partly known) shape of a graph input, output or inner value. */
export interface ValueInfo {
  readonly name: string;
  readonly type?: ElementType | undefined;
  /** A number, a symbolic dim's name, or null where nothing is known. Undefined: rank unknown. */
  readonly shape?: readonly (number | string | null)[] | undefined;
  /** Whether it is declared as something else than a tensor of numbers: a sequence, an optional, a map, strings. */
  readonly isOther?: boolean | undefined;
  readonly origin?: unknown;
}

/** A node's compile-time argument. `graph` is the body of a control-flow operator and is carried along untouched. */
export type Attribute = (
  | { readonly kind: "int" | "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints" | "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor }
  /** Names of outer values that bodies read and of values of their own; which outputs of a body are no tensors of numbers. */
  | {
      readonly kind: "graph";
      readonly value: readonly string[];
      readonly own?: readonly string[];
      readonly otherOutputs?: readonly boolean[];
    }
  | { readonly kind: "other"; readonly value: undefined }
) & { readonly origin?: unknown };

/** One occurrence of an operator. An empty input or output name means "left out". */
export interface Node {
  readonly name: string;
  readonly opType: string;
  /** "" for the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly origin?: unknown;
}

/** Where a value is read: input `slot` of `node`; slot -1 for a read from inside a control-flow body. */
export interface Use {
  readonly node: Node;
  readonly slot: number;
}

/** A named value and its surroundings in one graph. */
export interface Value {
  readonly name: string;
  readonly producer: Node | undefined;
  readonly uses: readonly Use[];
  readonly isInput: boolean;
  readonly isOutput: boolean;
  readonly initializer: Tensor | undefined;
}

export interface GraphParts {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** Type and shape notes on inner values, by name. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  readonly origin?: unknown;
}

export class Graph implements GraphParts {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  readonly origin?: unknown;
  #values: Map<string, Value> | undefined;

  constructor(parts: GraphParts) {
    this.name = parts.name;
    this.inputs = parts.inputs;
    this.outputs = parts.outputs;
    this.initializers = parts.initializers;
    this.nodes = parts.nodes;
    this.valueInfo = parts.valueInfo;
    this.origin = parts.origin;
  }

  /** The same graph with some parts replaced. */
  with(parts: Partial<GraphParts>): Graph {
    return new Graph({ ...this.parts(), ...parts });
  }

  /** The value of that name; undefined if nothing in the graph has it. */
  value(name: string): Value | undefined {
    this.#values ??= indexValues(this);
    return this.#values.get(name);
  }

  /** Graph inputs that a caller must feed: those without an initializer (IR 3 lists initializers as inputs too). */
  get feeds(): readonly ValueInfo[] {
    return this.inputs.filter((input) => !this.initializers.has(input.name));
  }

  private parts(): GraphParts {
    const { name, inputs, outputs, initializers, nodes, valueInfo, origin } = this;
    return { name, inputs, outputs, initializers, nodes, valueInfo, origin };
  }
}

/** What an ONNX file holds: the graph, and the versions that fix what its operators mean. */
export interface Model {
  readonly graph: Graph;
  readonly irVersion: number;
  /** Version by domain; "" is the standard operator set. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly origin?: unknown;
}

/** Names that a node reads, those from inside its control-flow bodies included. */
export function readsOf(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== "");
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === "graph") names.push(...attribute.value);
  }
  return names;
}

/** How messages call a node: operator and name (or first output where it has none). */
export function describe(node: Node): string {
  return `${node.opType} "${node.name || node.outputs[0] || "?"}"`;
}

type Draft = { -readonly [K in keyof Value]: Value[K] } & { uses: Use[] };

function indexValues(graph: Graph): Map<string, Value> {
  const values = new Map<string, Draft>();
  const at = (name: string): Draft => {
    let value = values.get(name);
    if (!value) {
      value = {
        name,
        producer: undefined,
        uses: [],
        isInput: false,
        isOutput: false,
        initializer: graph.initializers.get(name),
      };
      values.set(name, value);
    }
    return value;
  };
  for (const input of graph.inputs) at(input.name).isInput = true;
  for (const name of graph.initializers.keys()) at(name);
  for (const node of graph.nodes) {
    node.inputs.forEach((name, slot) => {
      if (name !== "") at(name).uses.push({ node, slot });
    });
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph") for (const name of attribute.value) at(name).uses.push({ node, slot: -1 });
    }
    for (const name of node.outputs) if (name !== "") at(name).producer = node;
  }
  for (const output of graph.outputs) at(output.name).isOutput = true;
  return values;
}
