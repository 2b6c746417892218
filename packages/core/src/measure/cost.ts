/** What a run of the oracle will cost, counted ahead in multiply-accumulates; the same on every machine. */

import { downstream } from "../graph/traverse.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { macsByNode } from "../surgery/size.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Group } from "../units/units.ts";
import { ownersLeft } from "./state.ts";

/** How the oracle measures: every candidate; those that old scores say are cheap; or on growing parts of the samples. */
export type OracleMode = "exact" | "lazy" | "racing";

export interface OracleCost {
  /** Candidate evaluations if every unit left is measured before each removal. */
  readonly evaluations: number;
  /** Multiply-accumulates of these, by suffix evaluation. */
  readonly macs: number;
  /** The mode that `auto` takes. */
  readonly mode: OracleMode;
}

/** What a run is expected to take in the mode that is taken. Only told, never used for a choice. */
export interface CostEstimate extends OracleCost {
  /** Candidate evaluations. */
  readonly expected: number;
  /** Passes of the whole network over the data that take as much arithmetic. */
  readonly passes: number;
  readonly seconds: number;
}

/** Above this the exact oracle is left to those who ask for it: some minutes on two cores. */
const EXACT_MACS = 1e13;
/** Lazy keys take a sixth of the evaluations on 400-50-50-10, an eleventh on KWS; bench/RESULTS.md. */
const LAZY_SHARE = 0.1;

/**
 * Share of the exact oracle's arithmetic, as measured: racing with a shortlist of 20 % on ResNet20, with all that it takes
 * beside the tails; racing of all units on 400-100-10.
 */
const SHARES = { exact: 1, lazy: LAZY_SHARE, shortlist: 0.01, racing: 0.5 } as const;

/** What a run will take, by the seconds that one pass of the network over the data took. */
export function estimate(
  cost: OracleCost,
  { shortlist = 1 }: { readonly shortlist?: number },
  pass: { readonly macs: number; readonly seconds: number },
): CostEstimate {
  const share = SHARES[cost.mode === "racing" && shortlist < 1 ? "shortlist" : cost.mode];
  const passes = (cost.macs * share) / Math.max(1, pass.macs);
  return { ...cost, expected: Math.round(cost.evaluations * share), passes, seconds: passes * pass.seconds };
}

/** Cost of removing `removals` units, one after the other, on `samples` samples. */
export function oracleCost(prunable: Prunable, samples: number, removals: number): OracleCost {
  const { units } = prunable;
  let perSweep = 0; // one evaluation of every unit, one sample
  for (const [group, macs] of tailMacs(prunable, new Uint8Array(units.count))) perSweep += macs * group.size;
  const sweeps = removals * (1 - removals / (2 * Math.max(1, units.count))); // units left fall as the run goes on
  const macs = perSweep * samples * sweeps;
  const mode = macs <= EXACT_MACS ? "exact" : macs * LAZY_SHARE <= EXACT_MACS ? "lazy" : "racing";
  return { evaluations: Math.round(units.count * sweeps), macs, mode };
}

/**
 * Multiply-accumulates of one candidate of each group, one sample, by suffix evaluation without the removed units:
 * everything behind the readers of its units, and of each reader the part that the unit has in it.
 */
export function tailMacs(prunable: Prunable, removed: RemovedUnits): ReadonlyMap<Group, number> {
  const { graph } = prunable.model;
  const macsOf = macsByNode(prunable, removed);
  return new Map(
    prunable.units.groups.map((group): [Group, number] => {
      const readers = new Map(group.sinks.map((sink) => [sink.node, ownersLeft(sink, removed).length]));
      const changed = downstream(graph, readers.keys());
      let macs = 0;
      for (const node of graph.nodes) {
        if (!changed.has(nodeId(node))) continue;
        const isBehind = node.inputs.some((name) => changed.has(name));
        macs += (macsOf.get(nodeId(node)) ?? 0) / (isBehind ? 1 : Math.max(1, readers.get(nodeId(node)) ?? 1));
      }
      return [group, macs];
    }),
  );
}
