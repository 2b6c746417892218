import type { Oracle } from "../measure/oracle.ts";
import type { Criterion, Scorer } from "./criterion.ts";
import { MeasuredBlocks } from "./measured-blocks.ts";

/** Units measured together; fewer waste less, more keep the processor busier. */
const BATCH = 4;
/** How far below its key a unit is taken to lie at worst, in typical falls. */
const DOUBT = 3;
/** What one more fall counts in the typical one. */
const NEWS = 1 / 50;

/** The change of the error that was last measured for a unit, and the step of the run when that was. */
interface Key {
  readonly cost: number;
  readonly step: number;
}

/**
 * The oracle with stale keys: every unit keeps the change of the error that was last measured for it, and after a
 * removal only the lowest are measured again, until the best fresh one is below all stale ones. Keys mostly grow as
 * units go, so most picks are the oracle's, for a fraction of its evaluations; none is proved.
 *
 * Where a key has fallen, its unit would be missed. So a key is doubted the more the older it is: it counts as lower by
 * {@link DOUBT} times the root mean square of the falls seen so far per removal, times the root of its age in removals (as
 * if costs walked at random).
 */
export const lazyOracle: Criterion = {
  name: "oracle",
  inErrorUnits: true,
  needsData: true,
  certificate: "heuristic",
  start: withKeys,
  score: (context) => withKeys().score(context),
};

/** The keys belong to one run. */
function withKeys(): Scorer {
  const keys = new Map<number, Key>();
  const blocks = new MeasuredBlocks();
  let step = 0;
  let squaredFall = 0; // per removal, averaged over what was measured again
  return {
    joint: (...asked) => blocks.joint(...asked),
    async score({ prunable, left, error, oracle, rank = (_, score) => score }) {
      const now = await error();
      step++;
      const measure = async (units: readonly number[]): Promise<void> => {
        const errors = await (oracle as Oracle).errorsWithout(units);
        for (const [unit, without] of errors) {
          const cost = Number.isNaN(without - now) ? Number.POSITIVE_INFINITY : without - now;
          const old = keys.get(unit);
          const fall = old ? Math.min(0, cost - old.cost) ** 2 / (step - old.step) : Number.NaN;
          if (Number.isFinite(fall)) squaredFall += NEWS * (fall - squaredFall);
          keys.set(unit, { cost, step });
        }
      };
      const keyOf = (unit: number): number => rank(unit, (keys.get(unit) as Key).cost);
      const lowest = (unit: number): number => {
        const { cost, step: then } = keys.get(unit) as Key;
        return rank(unit, cost - DOUBT * Math.sqrt(squaredFall * (step - then)));
      };
      const unknown = left.filter((unit) => !keys.has(unit));
      await measure(unknown);
      let best = Math.min(...unknown.map(keyOf));
      let stale = left.filter((unit) => keys.get(unit)?.step !== step);
      for (;;) {
        stale.sort((a, b) => lowest(a) - lowest(b) || a - b);
        const next = stale.slice(0, BATCH).filter((unit) => lowest(unit) < best);
        if (next.length === 0) break;
        await measure(next);
        best = Math.min(best, ...next.map(keyOf));
        stale = stale.slice(next.length);
      }
      const scores = new Float64Array(prunable.units.count);
      for (const unit of left) scores[unit] = (keys.get(unit) as Key).cost;
      return scores;
    },
  };
}
