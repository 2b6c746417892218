/** What a run of the oracle will cost, counted ahead in multiply-accumulates; the same on every machine. */

import type { OracleMode } from "../criteria/index.ts";
import { dimsOf } from "../graph/shapes.ts";
import { downstream } from "../graph/traverse.ts";
import { ruleFor } from "../ops/index.ts";
import type { Prunable } from "../units/prepare.ts";

export interface OracleCost {
  /** Candidate evaluations if every unit left is measured before each removal. */
  readonly evaluations: number;
  /** Multiply-accumulates of these, by suffix evaluation. */
  readonly macs: number;
  /** The mode that `auto` takes. */
  readonly mode: OracleMode;
}

/** Above this the exact oracle is left to those who ask for it: some minutes on two cores. */
const EXACT_MACS = 1e13;
/** Measured on 400-50-50-10 and KWS: lazy keys take about a tenth of the evaluations. */
const LAZY_SHARE = 0.1;

/** Cost of removing `removals` units, one after the other, on `samples` samples. */
export function oracleCost({ model, shapes, units }: Prunable, samples: number, removals: number): OracleCost {
  const { graph } = model;
  let perSweep = 0; // MACs of one evaluation of every unit, one sample
  for (const group of units.groups) {
    const changed = downstream(
      graph,
      group.sinks.map((sink) => sink.node),
    );
    const readers = new Set(group.sinks.map((sink) => sink.node));
    let tail = 0;
    for (const node of graph.nodes) {
      const output = node.outputs[0] as string;
      if (!changed.has(output) || readers.has(output)) continue;
      const dims = (slot: number): readonly number[] => dimsOf(shapes, node.inputs[slot] as string);
      tail +=
        ruleFor(node)?.macs?.({ node, dims, outDims: (index = 0) => dimsOf(shapes, node.outputs[index] as string) }) ??
        0;
    }
    perSweep += tail * group.size;
  }
  const sweeps = removals * (1 - removals / (2 * Math.max(1, units.count))); // units left fall as the run goes on
  const macs = perSweep * samples * sweeps;
  const mode = macs <= EXACT_MACS ? "exact" : macs * LAZY_SHARE <= EXACT_MACS ? "lazy" : "racing";
  return { evaluations: Math.round(units.count * sweeps), macs, mode };
}
