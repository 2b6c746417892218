/** Which units' gain curves tell most about where taylor2 works and where it fails. */
import type { UnitCost } from "../results.ts";

export interface TellingUnit {
  readonly why: string;
  readonly cost: UnitCost;
}

/** A cause is worth a picture where it is at least this share of the unit's cost. */
const WORTH_SHOWING = 0.05;

/** Up to four units, each once: the largest truncation, the largest diagonal error, taylor2's first pick, taylor2 at its best. */
export function tellingUnits(costs: readonly UnitCost[]): TellingUnit[] {
  const failureOf = (cost: UnitCost): number => Math.abs(cost.measured - cost.taylor2);
  const most = (size: (cost: UnitCost) => number, among = costs): UnitCost | undefined =>
    among.reduce<UnitCost | undefined>((best, cost) => (best && size(best) >= size(cost) ? best : cost), undefined);
  const found: TellingUnit[] = [];
  const add = (why: string, cost: UnitCost | undefined): void => {
    if (cost && !found.some((other) => other.cost === cost)) found.push({ why, cost });
  };
  const bent = most(({ truncation }) => Math.abs(truncation));
  if (bent && isLarge(bent.truncation, bent))
    add("The largest truncation: not even the parabola with the exact second derivative follows this curve.", bent);
  const crossed = most(
    ({ diagonal }) => Math.abs(diagonal),
    costs.filter((cost) => isLarge(cost.diagonal, cost)),
  );
  add("The largest diagonal error: the recursion's parabola curvatures differently from the curve at gain 1.", crossed);
  const first = most(({ taylor2 }) => -taylor2);
  if (first && first !== most(({ measured }) => -measured))
    add("The unit that taylor2 would remove first; the oracle would remove another.", first);
  const sizes = costs.map(({ measured }) => Math.abs(measured)).sort((a, b) => a - b);
  const middle = sizes[sizes.length >> 1] ?? 0;
  add(
    "taylor2 at its best: of the units that cost at least the median, the one that it estimates best for its cost.",
    most(
      (cost) => -failureOf(cost) / Math.abs(cost.measured),
      costs.filter(({ measured }) => Math.abs(measured) >= middle && measured !== 0),
    ),
  );
  return found;
}

function isLarge(cause: number, { measured }: UnitCost): boolean {
  return Math.abs(cause) > Math.abs(measured) * WORTH_SHOWING;
}
