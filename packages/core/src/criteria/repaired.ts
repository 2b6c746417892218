import { surfacesOf } from "../compensate/surface.ts";
import { qualityOf } from "../measure/quality.ts";
import { stateOf } from "../measure/state.ts";
import { nodeId } from "../units/places.ts";
import { groupOf } from "../units/units.ts";
import type { Criterion } from "./criterion.ts";
import { obs } from "./obs.ts";

/** Units that are measured for a pick where not all are. */
const SHORTLIST = 16;

/**
 * The oracle of a run with compensation: the error of the network without each unit, its consumers fitted again in closed
 * form. Every candidate is a full pass, so by default only the lowest by {@link obs} are measured; `all` measures every one.
 * Certificate: `heuristic` in both, as a candidate is measured with the repair of its own consumers and one ridge, while what
 * is shipped is repaired to the end of the network.
 */
export function repairedOracle(all = false): Criterion {
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    needsMoments: true,
    certificate: "heuristic",
    async score(context) {
      const { compensator, oracle, subject, prunable, state, left, rank = (_, score) => score } = context;
      if (!compensator || !oracle || !subject) throw new Error("needs the moments of consumers");
      const now = await context.error();
      const estimates = await obs.score(context);
      const order = left.toSorted((a, b) => rank(a, estimates[a] as number) - rank(b, estimates[b] as number) || a - b);
      const surfaces = await surfacesOf(compensator, oracle.activations);
      const scores = new Float64Array(prunable.units.count).fill(Number.POSITIVE_INFINITY);
      const measured = all ? left : order.slice(0, SHORTLIST);
      for (const unit of measured) {
        const group = groupOf(prunable.units, unit);
        const readers = new Set(group.sinks.map(({ node }) => node));
        const fits = surfaces
          .filter(({ known }) => readers.has(nodeId(known.layer.consumer.node)))
          .map((surface) => ({ layer: surface.known.layer, fit: surface.without(unit, compensator.kind) }));
        const removed = state.removed.slice();
        removed[unit] = 1;
        const { error } = await qualityOf(subject, stateOf(compensator.withFits(fits), removed).model);
        scores[unit] = error - now;
      }
      oracle.evaluations += measured.length;
      return scores;
    },
  };
}
