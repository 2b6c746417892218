/** A graph in the making: every consumer gets a bias, and weights and biases that only its family reads. */
import { FreshNames } from "../graph/fresh-names.ts";
import type { Graph, Node } from "../graph/graph.ts";
import type { Shapes, ValueShape } from "../graph/shapes.ts";
import { allocate, Tensor } from "../graph/tensor.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Consumer } from "./consumers.ts";
import type { FoundLayer } from "./weight-families.ts";

/** Where a layer has its bias: in the layer's own node or in an Add behind it. */
interface FoundBias {
  readonly node: Node;
  /** Undefined: there is none yet. */
  readonly name: string | undefined;
}

export class ConsumerDraft {
  /** Biases, all 0, that were added. */
  readonly added: Set<string> = new Set();
  readonly #graph: Graph;
  readonly #names: FreshNames;
  readonly #initializers: Map<string, Tensor>;
  readonly #shapes: Map<string, ValueShape>;
  /** What stands in place of a node, by its first output. */
  readonly #nodes = new Map<string, readonly Node[]>();
  /** How often the layers of each family read a bias. */
  readonly #reads = new Map<string, Map<string, number>>();
  /** The copies of a bias, by family. */
  readonly #copies = new Map<string, Map<string, string>>();

  constructor({ model, shapes }: Prunable, layers: readonly FoundLayer[]) {
    this.#graph = model.graph;
    this.#names = new FreshNames(model.graph);
    this.#initializers = new Map(model.graph.initializers);
    this.#shapes = new Map(shapes);
    for (const layer of layers) {
      const name = this.#biasOf(layer)?.name;
      if (name === undefined) continue;
      const reads = this.#reads.get(name) ?? new Map<string, number>();
      this.#reads.set(name, reads.set(layer.family, (reads.get(layer.family) ?? 0) + 1));
    }
  }

  /** The layer as a consumer. */
  consumer(layer: FoundLayer): Consumer {
    const { node, family, isCopied, fixed } = layer;
    const id = nodeId(node);
    const [input, stored, ...rest] = node.inputs as [string, string, ...string[]];
    const weights = isCopied ? this.#store(`${stored}/${id}`, this.#initializers.get(stored) as Tensor) : stored;
    const found = this.#biasOf(layer);
    const bias = found?.name === undefined ? this.#zeros(layer) : this.#own(found.name, family, nodeId(found.node));
    if (found?.node === node) {
      const own = { ...node, inputs: [input, weights, bias] };
      this.#nodes.set(id, [own]);
      return { node: own, input, output: id, weights, bias, fixed };
    }
    const inputs = [input, weights, ...rest];
    if (found) {
      const own = { ...node, inputs };
      this.#nodes.set(id, [own]).set(nodeId(found.node), [{ ...found.node, inputs: [id, bias] }]);
      return { node: own, input, output: nodeId(found.node), weights, bias, fixed };
    }
    const product = this.#names.fresh(`${id}/product`);
    const own = { ...node, name: node.name || id, inputs, outputs: [product] };
    const add = { name: bias, opType: "Add", domain: "", inputs: [product, bias], outputs: [id], attributes: {} };
    this.#nodes.set(id, [own, add]);
    const shape = this.#shapes.get(id);
    if (shape) this.#shapes.set(product, shape);
    return { node: own, input, output: id, weights, bias, fixed };
  }

  /** Where the layer has its bias, or can have it; undefined: nowhere but in an Add of its own. */
  #biasOf({ node, regression }: FoundLayer): FoundBias | undefined {
    const { biasSlot } = regression;
    const given = biasSlot === undefined ? undefined : node.inputs[biasSlot];
    if (biasSlot !== undefined && (!given || this.#graph.initializers.has(given))) {
      return { node, name: given || undefined };
    }
    return this.#biasReader(nodeId(node), this.#outputsOf({ node, regression }));
  }

  /** The Add that reads nothing but the value and one number for each of its outputs. */
  #biasReader(value: string, outputs: number): FoundBias | undefined {
    const { uses = [], isOutput } = this.#graph.value(value) ?? {};
    const node = uses[0]?.node;
    if (uses.length !== 1 || isOutput || node?.opType !== "Add" || node.domain !== "") return undefined;
    const name = node.inputs.find((other) => other !== value) ?? "";
    const tensor = this.#graph.initializers.get(name);
    return tensor && tensor.size === outputs && tensor.dims.at(-1) === outputs ? { node, name } : undefined;
  }

  #outputsOf({ node, regression }: Pick<FoundLayer, "node" | "regression">): number {
    const { dims } = this.#shapes.get(node.inputs[1] as string) as ValueShape;
    return (regression.outputsFirst ? dims[0] : dims.at(-1)) as number;
  }

  /** The bias's name, or that of a copy for the family where others read it too. */
  #own(name: string, family: string, reader: string): string {
    const { uses = [], isOutput = false } = this.#graph.value(name) ?? {};
    if (!isOutput && uses.length === this.#reads.get(name)?.get(family)) return name;
    const copies = this.#copies.get(name) ?? new Map<string, string>();
    const copy = copies.get(family) ?? this.#store(`${name}/${reader}`, this.#initializers.get(name) as Tensor);
    this.#copies.set(name, copies.set(family, copy));
    return copy;
  }

  #zeros(layer: FoundLayer): string {
    const { type } = this.#shapes.get(layer.node.inputs[1] as string) as ValueShape;
    const length = this.#outputsOf(layer);
    const name = this.#store(`${nodeId(layer.node)}/bias`, new Tensor(type, [length], allocate(type, length)));
    this.added.add(name);
    return name;
  }

  #store(hint: string, tensor: Tensor): string {
    const name = this.#names.fresh(hint);
    this.#initializers.set(name, tensor);
    this.#shapes.set(name, { type: tensor.type, dims: tensor.dims });
    return name;
  }

  result(): { graph: Graph; shapes: Shapes } {
    const nodes = this.#graph.nodes.flatMap((node) => this.#nodes.get(nodeId(node)) ?? [node]);
    return { graph: this.#graph.with({ nodes, initializers: this.#initializers }), shapes: this.#shapes };
  }
}
