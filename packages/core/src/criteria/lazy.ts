import type { Oracle } from "../measure/oracle.ts";
import type { Criterion } from "./criterion.ts";

/** Units measured together; fewer waste less, more keep the processor busier. */
const BATCH = 4;
/** Stale units that are measured beside them, drawn by lot, to see whether keys still tell the truth. */
const AUDITED = 1;
/** Picks that the audits have shown to be wrong before all keys are measured again; a single one may be chance. */
const MISSES = 2;

/**
 * The oracle with stale keys: every unit keeps the change of the error that was last measured for it, and after a
 * removal only the lowest are measured again, until the best fresh one is below the next stale one. Keys mostly grow as
 * units go, so most picks are the oracle's, for a fraction of its evaluations; none is proved.
 *
 * Where a key has fallen, its unit is missed. Each step audits a stale unit drawn by lot; that such units turn out to be
 * better than the pick says that the keys have drifted, and all are measured again. For one run: the keys belong to it.
 */
export function lazyOracle(): Criterion {
  const keys = new Map<number, number>();
  let missed = 0; // by the audits since all were measured
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    certificate: "heuristic",
    async score({ prunable, left, error, oracle, rank = (_, score) => score, random }) {
      const now = await error();
      const measure = async (units: readonly number[]): Promise<void> => {
        const errors = await (oracle as Oracle).errorsWithout(units);
        for (const [unit, without] of errors) keys.set(unit, without - now);
      };
      const keyOf = (unit: number): number => rank(unit, keys.get(unit) as number);
      const unknown = left.filter((unit) => !keys.has(unit));
      if (unknown.length > 0) await measure(unknown);
      else {
        let stale = [...left];
        let best = Number.POSITIVE_INFINITY;
        for (;;) {
          stale.sort((a, b) => keyOf(a) - keyOf(b) || a - b);
          const next = stale.slice(0, BATCH).filter((unit) => keyOf(unit) < best);
          if (next.length === 0) break;
          await measure(next);
          best = Math.min(best, ...next.map(keyOf));
          stale = stale.slice(next.length);
        }
        const audited = drawn(stale, AUDITED, random);
        await measure(audited);
        missed += audited.filter((unit) => keyOf(unit) < best).length;
        if (missed >= MISSES) {
          await measure(stale.filter((unit) => !audited.includes(unit)));
          missed = 0;
        }
      }
      const scores = new Float64Array(prunable.units.count);
      for (const unit of left) scores[unit] = keys.get(unit) as number;
      return scores;
    },
  };
}

/** Some of the units by lot, without repeats. */
function drawn(units: readonly number[], count: number, random: () => number): number[] {
  const rest = [...units];
  return Array.from(
    { length: Math.min(count, rest.length) },
    () => rest.splice(Math.floor(random() * rest.length), 1)[0] as number,
  );
}
