import type { Oracle } from "../measure/oracle.ts";
import type { Criterion } from "./criterion.ts";

/** Units measured together; fewer waste less, more keep the processor busier. */
const BATCH = 4;
/** All units are measured again once the error has grown by this factor: then old keys say little. */
const DRIFT = 2;

/**
 * The oracle with stale keys: every unit keeps the change of the error that was last measured for it, and after a
 * removal only the lowest are measured again, until the best fresh one is below the next stale one. Most picks are the
 * oracle's, for a fraction of its evaluations; none is proved. For one run: the keys belong to it.
 */
export function lazyOracle(): Criterion {
  const keys = new Map<number, number>();
  let refreshedAt = 0;
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    certificate: "heuristic",
    async score({ prunable, left, error, oracle, rank = (_, score) => score }) {
      const now = await error();
      const measure = async (units: readonly number[]): Promise<void> => {
        const errors = await (oracle as Oracle).errorsWithout(units);
        for (const [unit, without] of errors) keys.set(unit, without - now);
      };
      const keyOf = (unit: number): number => rank(unit, keys.get(unit) ?? Number.NEGATIVE_INFINITY);
      if (keys.size === 0 || now > DRIFT * refreshedAt) {
        await measure(left);
        refreshedAt = now;
      } else {
        const fresh = new Set<number>();
        let best = Number.POSITIVE_INFINITY;
        for (;;) {
          const stale = left.filter((unit) => !fresh.has(unit)).sort((a, b) => keyOf(a) - keyOf(b) || a - b);
          const next = stale.slice(0, BATCH).filter((unit) => keyOf(unit) < best);
          if (next.length === 0) break;
          await measure(next);
          for (const unit of next) {
            fresh.add(unit);
            best = Math.min(best, keyOf(unit));
          }
        }
      }
      const scores = new Float64Array(prunable.units.count);
      for (const unit of left) scores[unit] = keys.get(unit) as number;
      return scores;
    },
  };
}
