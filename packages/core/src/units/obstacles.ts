/** What stands in the way of a smaller network: the causes that freeze units, and what hangs on each. */
import type { Obstacle, Shares } from "../results.ts";
import { type Size, sizeWithout } from "../surgery/size.ts";
import type { Prunable } from "./prepare.ts";

/** Which part of the network can be removed at most. A MAC may hang on removable and on frozen units at once. */
export function removableShares(prunable: Prunable): Shares {
  const { units } = prunable;
  const whole = sizeWithout(prunable, units.places, new Uint8Array(units.count));
  const without = sizeWithout(prunable, units.places, new Uint8Array(units.count).fill(1));
  return { units: share(units.count, allUnits(prunable)), ...sharesLost(whole, without) };
}

/** The causes that freeze units, the ones with most MACs first. */
export function findObstacles(prunable: Prunable): Obstacle[] {
  const { frozen, frozenPlaces } = prunable.units;
  const whole = sizeWithout(prunable, frozenPlaces, new Uint8Array(frozen.length));
  const causes = [...new Set(frozen.map(({ cause }) => cause))];
  const obstacles = causes.map((cause): Obstacle => {
    const free = Uint8Array.from(frozen, (one) => (one.cause === cause ? 1 : 0));
    const own = frozen.filter((one) => one.cause === cause);
    const count = own.reduce((sum, { size }) => sum + size, 0);
    return {
      reason: cause,
      count,
      units: share(count, allUnits(prunable)),
      ...sharesLost(whole, sizeWithout(prunable, frozenPlaces, free)),
      layers: [...new Set(own.map(({ layer }) => layer))],
    };
  });
  return obstacles.sort((a, b) => b.macs - a.macs || b.parameters - a.parameters || (a.reason < b.reason ? -1 : 1));
}

function allUnits({ units }: Prunable): number {
  return units.count + units.frozen.reduce((sum, { size }) => sum + size, 0);
}

function sharesLost(whole: Size, left: Size): Pick<Shares, "parameters" | "macs"> {
  return {
    parameters: share(whole.parameters - left.parameters, whole.parameters),
    macs: share(whole.macs - left.macs, whole.macs),
  };
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.max(0, part) / whole : 0;
}
