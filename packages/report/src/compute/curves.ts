import type { CompareRun, CompareSummary, PruneSummary, Quality } from "shrinknet";
import type { Point, Series } from "../series.ts";

/** Which number of a {@link Quality}: the error (summed over samples) or the accuracy (0 to 1). */
export type Measure = "error" | "accuracy";

/** Which samples it was measured on. */
export type DataSet = "calibration" | "test";

interface Measured extends Quality {
  readonly test?: Quality;
}

/** The measure against units removed, one line per data set that has it: calibration, then test. The first point (0 removed) is the unpruned model. */
export function computePruneCurves(summary: PruneSummary, measure: Measure): Series[] {
  const states: Measured[] = [summary.before, ...summary.removed];
  return (["calibration", "test"] as const).flatMap((data, style) => {
    const points = curve(states, measure, data);
    return points ? [{ name: data, points, style }] : [];
  });
}

/**
 * The measure against units removed on one data set, one line per run, named after its criterion. With `schedule` only the runs of that schedule.
 * A criterion keeps its style in every chart of the summary. Runs without the measure are left out.
 */
export function computeCompareCurves(
  summary: CompareSummary,
  measure: Measure,
  data: DataSet,
  schedule?: string,
): Series[] {
  const names = [...new Set(summary.runs.map(runLabel))];
  return summary.runs.flatMap((run) => {
    if (schedule !== undefined && run.schedule !== schedule) return [];
    const points = curve([summary.baseline, ...run.steps], measure, data);
    return points
      ? [
          {
            name: runLabel(run),
            points,
            style: names.indexOf(runLabel(run)),
          },
        ]
      : [];
  });
}

/** What a run is called beside its schedule: its criterion, and its compensation where it has one. */
export function runLabel({ criterion, compensation }: Pick<CompareRun, "criterion" | "compensation">): string {
  return compensation === "none" ? criterion : `${criterion} + ${compensation}`;
}

/** Schedules of the summary in the order of their first run. */
export function computeSchedules(summary: CompareSummary): string[] {
  return [...new Set(summary.runs.map((run) => run.schedule))];
}

/** Only states that have the measure: not every one is measured. Undefined where none has. */
function curve(states: readonly Measured[], measure: Measure, data: DataSet): Point[] | undefined {
  const points = states.map(
    (state, removed): Point => [removed, measured(data === "test" ? state.test : state, measure)],
  );
  const known = points.filter(([, value]) => Number.isFinite(value));
  return known.length > 0 ? known : undefined;
}

function measured(quality: Quality | undefined, measure: Measure): number {
  return quality?.[measure] ?? Number.NaN;
}
