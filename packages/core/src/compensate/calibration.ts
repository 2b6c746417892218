/**
 * Calibration of least-squares costs: how much more, or less, the network's output changes than the costs of a group's
 * units say. Half of the group is taken away with its consumers fitted again, and the change of the output is measured.
 * Sensitivities take errors at different positions for independent; where a network averages over positions they are not.
 */
import type { Activations } from "../measure/activations.ts";
import type { Group } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import type { Compensator } from "./compensator.ts";
import type { Surface } from "./surface.ts";

/** Of wide groups fewer than half are taken away: each takes a step of elimination. */
const MOST_UNITS = 512;

/** A consumer's surface, and the importance of its outputs. */
interface Part {
  readonly surface: Surface;
  readonly importance: Float64Array;
}

/** Measured change of the output over predicted change, by stage of the sensitivities and group. */
const known = new WeakMap<object, Map<Group, number>>();

/**
 * The factor of each group's costs; groups with fewer than two units have none. `effects`: what the removal of each unit costs
 * through readers that are not fitted.
 */
export async function calibration(
  compensator: Compensator,
  activations: Activations,
  parts: readonly Part[],
  effects?: Float64Array,
): Promise<ReadonlyMap<Group, number>> {
  const { stage } = compensator.sensitivities;
  const factors = known.get(stage) ?? new Map<Group, number>();
  if (known.has(stage)) return factors;
  known.set(stage, factors);
  const { units } = compensator.prunable;
  for (const group of units.groups) {
    const isOwn = (unit: number): boolean => unit >= group.first && unit < group.first + group.size;
    const own = parts.filter(({ surface }) => surface.units.some(isOwn));
    const { removed: gone } = activations.state;
    const isRead = (unit: number): boolean =>
      (effects?.[unit] ?? 0) > 0 || own.some(({ surface }) => surface.has(unit));
    const left = Array.from({ length: group.size }, (_, i) => group.first + i).filter(
      (unit) => !gone[unit] && isRead(unit),
    );
    if (left.length < 2) continue;
    const costs = own.map(({ surface, importance }) => surface.costs(importance));
    const costOf = (unit: number): number => costs.reduce((sum, of) => sum + (of.get(unit) ?? 0), effects?.[unit] ?? 0);
    const some = lowest(left, Math.min(left.length >> 1, MOST_UNITS), costOf);
    let predicted = some.reduce((sum, unit) => sum + (effects?.[unit] ?? 0), 0);
    for (const { surface, importance } of own) predicted += await surface.jointCost(some, importance);
    if (predicted <= 0) continue;
    const removed = activations.state.removed.slice();
    for (const unit of some) removed[unit] = 1;
    const fits = [];
    for (const { surface } of own) {
      const rest = surface.clone();
      await rest.take(some);
      fits.push({ family: surface.known.family, fit: rest.fit });
    }
    const change = await compensator.sensitivities.changeTo(compensator.withFits(fits), removed);
    factors.set(group, change / predicted);
  }
  return factors;
}
