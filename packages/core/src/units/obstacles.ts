/** What stands in the way of a smaller network: the causes that freeze units, and what depends on each. */
import type { Obstacle, Shares } from "../results.ts";
import { type Size, sizeAfter, sizeWithout } from "../surgery/size.ts";
import { type Inside, layersInside } from "./inside.ts";
import type { Prunable } from "./prepare.ts";
import type { Frozen } from "./units.ts";

/** Which part of the network can be removed at most. A MAC may depend on removable and on frozen units at once. */
export function removableShares(prunable: Prunable): Shares {
  const { units } = prunable;
  const whole = sizeAfter(prunable, new Uint8Array(units.count));
  const without = sizeAfter(prunable, new Uint8Array(units.count).fill(1));
  return { units: share(units.count, allUnits(prunable)), ...sharesLost(whole, without) };
}

/** The causes that freeze units, the ones that keep most MACs by themselves first. */
export function findObstacles(prunable: Prunable): Obstacle[] {
  const { frozen, frozenPlaces } = prunable.units;
  const whole = sizeWithout(prunable, frozenPlaces, new Uint8Array(frozen.length));
  const sharesOf = (own: (one: Frozen) => boolean): Shares => {
    const left = sizeWithout(
      prunable,
      frozenPlaces,
      Uint8Array.from(frozen, (one) => (own(one) ? 1 : 0)),
    );
    return { units: share(countOf(frozen.filter(own)), allUnits(prunable)), ...sharesLost(whole, left) };
  };
  const causes = [...new Set(frozen.flatMap((one) => one.causes))];
  const obstacles = causes.map((cause): Obstacle => {
    const own = frozen.filter((one) => one.causes.includes(cause));
    return {
      reason: cause,
      count: countOf(own),
      ...sharesOf((one) => one.causes.includes(cause)),
      alone: sharesOf((one) => one.causes.includes(cause) && one.causes.length === 1),
      layers: [...new Set(own.map(({ layer }) => layer))],
    };
  });
  const order = (a: Obstacle, b: Obstacle): number =>
    b.alone.macs - a.alone.macs || b.macs - a.macs || b.parameters - a.parameters || (a.reason < b.reason ? -1 : 1);
  return [...obstacles, ...insideObstacles(prunable, whole)].sort(order);
}

/** Control flow, by operator: nothing else could free what stands in its bodies. */
function insideObstacles(prunable: Prunable, whole: Size): Obstacle[] {
  const all = layersInside(prunable);
  return [...new Set(all.map(({ opType }) => opType))].map((opType): Obstacle => {
    const own = all.filter((one) => one.opType === opType);
    const sum = (of: (one: Inside) => number): number => own.reduce((total, one) => total + of(one), 0);
    const frozen = own.flatMap((one) => one.frozen);
    const shares = {
      units: share(countOf(frozen), allUnits(prunable)),
      parameters: share(
        sum(({ parameters }) => parameters),
        whole.parameters,
      ),
      macs: share(
        sum(({ macs }) => macs),
        whole.macs,
      ),
    };
    const layers = [...new Set(frozen.map(({ layer }) => layer))];
    return { reason: `stands in a body of ${opType}`, count: countOf(frozen), ...shares, alone: shares, layers };
  });
}

function countOf(frozen: readonly Frozen[]): number {
  return frozen.reduce((sum, { size }) => sum + size, 0);
}

function allUnits(prunable: Prunable): number {
  const { count, frozen } = prunable.units;
  return count + countOf([...frozen, ...layersInside(prunable).flatMap((one) => one.frozen)]);
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
