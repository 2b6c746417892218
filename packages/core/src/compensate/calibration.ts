/**
 * Calibration of least-squares costs: how much more, or less, the network's output changes than the costs of a group's
 * units say. Half of the group is taken away with its consumers fitted again, and the change of the output is measured.
 * Sensitivities take errors at different positions for independent; where a network averages over positions they are not.
 */
import type { Activations } from "../measure/activations.ts";
import type { Group } from "../units/units.ts";
import type { Compensator } from "./compensator.ts";
import type { Surface } from "./surface.ts";

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
      (effects?.[unit] ?? 0) > 0 || own.some(({ surface }) => surface.units.includes(unit));
    const left = Array.from({ length: group.size }, (_, i) => group.first + i).filter(
      (unit) => !gone[unit] && isRead(unit),
    );
    if (left.length < 2) continue;
    const trial = own.map(({ surface, importance }) => ({ surface: surface.clone(), importance }));
    const removed = activations.state.removed.slice();
    let predicted = 0;
    const costOf = (unit: number): number =>
      trial.reduce((sum, { surface, importance }) => sum + surface.costOf(unit, importance), effects?.[unit] ?? 0);
    const order = left.sort((a, b) => costOf(a) - costOf(b) || a - b);
    for (const unit of order.slice(0, order.length >> 1)) {
      predicted += costOf(unit);
      for (const { surface } of trial) surface.take(unit);
      removed[unit] = 1;
    }
    if (predicted <= 0) continue;
    const fits = trial.map(({ surface }) => ({ family: surface.known.family, fit: surface.fit }));
    const change = await compensator.sensitivities.changeTo(compensator.withFits(fits), removed);
    factors.set(group, change / predicted);
  }
  return factors;
}
