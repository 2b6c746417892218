import { surfacesOf } from "../compensate/surfaces.ts";
import { stateOf } from "../measure/state.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { nodeId } from "../units/places.ts";
import { type Group, groupOf } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
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
    rival: obs, // what it measures is fitted to the same samples
    certificate: "heuristic",
    async score(context) {
      const { compensator, oracle, evaluator, prunable, state, left, rank = (_, score) => score } = context;
      if (!compensator || !oracle || !evaluator) throw new Error("needs the moments of consumers");
      const estimates = await obs.score(context);
      const measured = all ? left : lowest(left, SHORTLIST, (unit) => rank(unit, estimates[unit] as number));
      const surfaces = await surfacesOf(compensator, oracle.activations);
      const scores = new Float64Array(prunable.units.count).fill(Number.POSITIVE_INFINITY);
      const errorOf = async (group: Group, removed: RemovedUnits, unit?: number): Promise<number> => {
        const readers = new Set(group.sinks.map(({ node }) => node));
        const fits = [];
        for (const surface of surfaces) {
          const { family } = surface.known;
          if (!family.layers.some(({ consumer }) => readers.has(nodeId(consumer.node)))) continue;
          fits.push({ family, fit: await surface.fitted(compensator.kind, unit) });
        }
        oracle.evaluations++;
        return (await evaluator.evaluate(stateOf(compensator.withFits(fits), removed).model)).quality.error;
      };
      /** By group: the error with its consumers fitted again and no unit gone. What the fit itself gains is no unit's merit. */
      const errors = new Map<Group, number>();
      for (const unit of measured) {
        const group = groupOf(prunable.units, unit);
        const before = errors.get(group) ?? (await errorOf(group, state.removed));
        errors.set(group, before);
        const removed = state.removed.slice();
        removed[unit] = 1;
        scores[unit] = (await errorOf(group, removed, unit)) - before;
      }
      return scores;
    },
  };
}
