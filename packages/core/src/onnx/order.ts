/** Checks that every value has exactly one origin and that no node reads a value before it exists. */
import { ShrinkError } from "../errors.ts";
import { describe, type Node, readsOf } from "../graph/graph.ts";

/**
 * The nodes in topological order: each directly after what it waits for, else where it stood. `sources` are the names
 * that exist before the first node. Throws a ShrinkError for a value with two producers, a value that nothing defines,
 * and a cycle.
 */
export function orderNodes(nodes: readonly Node[], sources: ReadonlySet<string>): Node[] {
  const producers = findProducers(nodes, sources);
  const ordered: Node[] = [];
  const state = new Map<Node, "open" | "done">();

  for (const root of nodes) {
    // Depth first with a stack of our own, because a chain can be longer than the call stack.
    const stack = state.has(root) ? [] : [visit(root)];
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as Visit;
      const name = top.reads[top.next++];
      if (name === undefined) {
        state.set(top.node, "done");
        ordered.push(top.node);
        stack.pop();
        continue;
      }
      const producer = producers.get(name);
      if (!producer) {
        if (sources.has(name)) continue;
        throw new ShrinkError(
          "model",
          `${describe(top.node)}: reads "${name}", which no node, input or initializer of the model defines; ` +
            "the model is incomplete; export it again with all its weights",
        );
      }
      if (state.get(producer) === "open") {
        throw new ShrinkError(
          "model",
          `${describe(producer)}: waits for its own output through "${name}"; a model must not have cycles; export it again`,
        );
      }
      if (!state.has(producer)) stack.push(visit(producer));
    }
  }
  return ordered;

  function visit(node: Node): Visit {
    state.set(node, "open");
    return { node, reads: readsOf(node), next: 0 };
  }
}

interface Visit {
  readonly node: Node;
  readonly reads: readonly string[];
  next: number;
}

function findProducers(nodes: readonly Node[], sources: ReadonlySet<string>): Map<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      const other = producers.get(name);
      if (other || sources.has(name)) {
        throw new ShrinkError(
          "model",
          `value "${name}": is defined by ${describe(node)} and also ${other ? `by ${describe(other)}` : "as an input or initializer"}; ` +
            "expected one origin for each name; rename one of them",
        );
      }
      producers.set(name, node);
    }
  }
  return producers;
}
