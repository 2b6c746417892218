/**
 * What compensation bought: the removals of a run once more, in the same order, with each weaker compensation. The units
 * are those that the run chose; only the repair differs.
 */
import { Activations } from "../measure/activations.ts";
import { stateOf } from "../measure/state.ts";
import type { CompensationCurve, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Units } from "../units/units.ts";
import { type BindOptions, bind } from "./bind.ts";
import type { Compensation } from "./compensator.ts";

/** Stages that are measured beside the intact network, about evenly spread over the run; at most. */
const STAGES = 12;

type Point = CompensationCurve["points"][number];

/** A run with compensation: its removals in order, and the intact network's quality. */
export interface Run {
  readonly trace: readonly Removal[];
  readonly intact: Omit<Point, "removed">;
}

/**
 * Error and accuracy at some stages of a run, on the calibration samples and those of `test`: as the run measured them,
 * and measured with each weaker compensation. Weakest first, the run's own last; none for a run without compensation.
 */
export async function compensationCurves(
  prepared: Prunable,
  { trace, intact }: Run,
  options: BindOptions & { readonly compensate: Compensation },
): Promise<CompensationCurve[]> {
  const { compensate } = options;
  if (compensate === "none") return [];
  const stages = spread(trace.filter(({ error }) => Number.isFinite(error)));
  const { test: _, ...untested } = intact;
  const start = pointOf(0, options.test ? intact : untested);
  const own = { compensation: compensate, points: [start, ...stages.map((row) => pointOf(row.step, row))] };
  const curves: CompensationCurve[] = [];
  for (const weaker of compensate === "lstsq" ? (["none", "mean"] as const) : (["none"] as const)) {
    const points = await replay(prepared, { ...options, compensate: weaker }, trace, stages);
    curves.push({ compensation: weaker, points: [start, ...points] });
  }
  return [...curves, own];
}

/** The stages of a run, each repaired at once for all units that are gone by then. */
async function replay(
  prepared: Prunable,
  options: BindOptions,
  trace: readonly Removal[],
  stages: readonly Removal[],
): Promise<Point[]> {
  const { prunable, evaluator, test, compensator } = await bind(prepared, options);
  if (!evaluator) return [];
  const activations = new Activations(evaluator, stateOf(prunable, new Uint8Array(prunable.units.count)));
  const points: Point[] = [];
  for (const { step } of stages) {
    const removed = removedBy(trace.slice(0, step), prunable.units);
    await compensator?.repair(activations, removed);
    const { model } = stateOf(compensator?.prunable ?? prunable, removed);
    const tested = test && (await test.evaluate(model)).quality;
    points.push(pointOf(step, { ...(await evaluator.evaluate(model)).quality, ...(tested && { test: tested }) }));
  }
  return points;
}

function removedBy(rows: readonly Removal[], units: Units): RemovedUnits {
  const removed = new Uint8Array(units.count);
  const first = new Map(units.groups.map((group) => [group.id, group.first]));
  for (const { group, unit } of rows) removed[(first.get(group) as number) + unit] = 1;
  return removed;
}

/** At most {@link STAGES} of the rows, the last one included. */
function spread<Row>(rows: readonly Row[]): Row[] {
  const count = Math.min(STAGES, rows.length);
  return Array.from({ length: count }, (_, at) => rows[Math.ceil(((at + 1) * rows.length) / count) - 1] as Row);
}

function pointOf(removed: number, { error, accuracy, test }: Omit<Point, "removed">): Point {
  return { removed, error, ...(accuracy !== undefined && { accuracy }), ...(test && { test }) };
}
