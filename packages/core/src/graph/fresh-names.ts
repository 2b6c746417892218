/**
 * Names for new values and nodes of a graph. A fresh name is not used anywhere in it: not as a value, an initializer or a
 * node, and not inside a control-flow body, where it would hide the new value.
 */
import { type Graph, type Node, readsOf } from "./graph.ts";

export class FreshNames {
  readonly #taken: Set<string>;
  /** The last number that was tried, by hint. */
  readonly #copies = new Map<string, number>();

  constructor(graph: Graph) {
    this.#taken = new Set([...graph.initializers.keys(), ...graph.valueInfo.keys()]);
    for (const { name } of [...graph.inputs, ...graph.outputs]) this.take(name);
    for (const node of graph.nodes) this.takeNode(node);
  }

  /** Returns `hint` if it is free, else `hint.2` and so on, and takes the name. */
  fresh(hint: string): string {
    let name = hint;
    let copy = this.#copies.get(hint) ?? 1;
    while (this.#taken.has(name)) name = `${hint}.${++copy}`;
    this.#copies.set(hint, copy);
    this.#taken.add(name);
    return name;
  }

  /** Takes a name that the caller chose. */
  take(name: string): void {
    this.#taken.add(name);
  }

  /** Takes all names that a node uses. */
  takeNode(node: Node): void {
    for (const name of [node.name, ...readsOf(node), ...node.outputs]) this.#taken.add(name);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph") for (const name of attribute.own ?? []) this.#taken.add(name);
    }
  }
}
