import { ShrinkError } from "../errors.ts";
import { describe, type Node } from "../graph/graph.ts";

/** The error for a node that a derivative cannot pass. `what` says what is missing: "no gradient rule for its input 1". */
export function noDerivative(node: Node, what: string): NoDerivative {
  return new NoDerivative(
    "operator",
    `${describe(node)}: ${what}; derivatives are needed by taylor1, taylor2, taylor-abs and fisher, oracle does without`,
  );
}

/** To tell it from other errors, where there is a way without derivatives. */
export class NoDerivative extends ShrinkError {}
