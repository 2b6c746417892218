/** The operator table as people read it: FEATURES.md is made of it. */

import { fusions } from "../graph/fused-operators.ts";
import { quantisedOperators } from "../graph/quantised-operators.ts";
import { rules } from "./index.ts";
import { countedOperators } from "./macs.ts";

/** One row of the operator table. */
export interface OperatorFeatures {
  readonly name: string;
  readonly units: boolean;
  readonly gradient: boolean;
  /** How the second-order pass goes through; empty: it does not. */
  readonly secondOrder: "linear" | "element-wise" | "own" | "";
  readonly macs: boolean;
}

/** What is known of each operator, in alphabetical order: of those that are only counted, their MACs. */
export function operatorTable(): OperatorFeatures[] {
  const known = Object.entries(rules)
    .filter(([name]) => /^[A-Z]/.test(name)) // families export what they share, too
    .map(([name, { ties, linear, pointwise, vjp, curvature, macs }]): OperatorFeatures => {
      const simple = linear ? "linear" : pointwise ? "element-wise" : "";
      return {
        name,
        units: ties !== undefined,
        gradient: simple !== "" || vjp !== undefined,
        secondOrder: curvature ? "own" : simple,
        macs: macs !== undefined,
      };
    });
  const others = countedOperators
    .filter((name) => !Object.hasOwn(rules, name))
    .map((name) => ({ name, units: false, gradient: false, secondOrder: "", macs: true }) as const);
  const fused = Object.keys({ ...fusions, ...quantisedOperators }).map((name) => {
    return { name, units: true, gradient: true, secondOrder: "own", macs: true } as const;
  });
  const single = others.filter(({ name }) => !fused.some((one) => one.name === name));
  return [...known, ...single, ...fused].sort((a, b) => (a.name < b.name ? -1 : 1));
}
