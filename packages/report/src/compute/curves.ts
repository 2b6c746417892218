import type { CompareRun, CompareSummary, CompensationCurve, PruneSummary, Quality } from "@shrinknet/core";
import type { Point, Series } from "../series.ts";

/** Which number of a {@link Quality}: the error (mean over samples) or the accuracy (0 to 1). */
export type Measure = "error" | "accuracy";

/** Which samples it was measured on. */
export type DataSet = "calibration" | "test" | "held out";

interface Measured extends Quality {
  readonly heldOut?: Quality;
  readonly test?: Quality;
}

/** The measure against units removed, one line per data set that has it: calibration, test, then what was held out of the calibration data. The first point (0 removed) is the unpruned model. */
export function computePruneCurves(summary: PruneSummary, measure: Measure): Series[] {
  const states: Measured[] = [summary.before, ...summary.removed];
  return (["calibration", "test", "held out"] as const).flatMap((data, style) => {
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

/** Accuracy against milliseconds of one run, at the steps that were timed and the unpruned model, one line per run of the schedule. */
export function computeLatencyCurves(summary: CompareSummary, data: DataSet, schedule: string): Series[] {
  const names = [...new Set(summary.runs.map(runLabel))];
  const start = { ...summary.baseline, latency: summary.latency ?? Number.NaN };
  return summary.runs.flatMap((run) => {
    const timed = [start, ...run.steps].map(
      (state): Point => [state.latency ?? Number.NaN, of(state, data)?.accuracy ?? Number.NaN],
    );
    const points = timed.filter((point) => point.every(Number.isFinite)).sort(([a], [b]) => a - b);
    if (run.schedule !== schedule || points.length < 2) return [];
    return [{ name: runLabel(run), points, style: names.indexOf(runLabel(run)) }];
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

/** The measure against units removed, one line per compensation that has it. */
export function computeCompensationCurves(
  curves: readonly CompensationCurve[],
  measure: Measure,
  data: "calibration" | "test",
): Series[] {
  return curves.flatMap(({ compensation, points }, style) => {
    const line = points.map((point): Point => [point.removed, of(point, data)?.[measure] ?? Number.NaN]);
    const known = line.filter(isKnown);
    return known.length > 0 ? [{ name: compensation, points: known, style }] : [];
  });
}

/** States that were not measured, as inside a block of removals, are left out. Undefined where no state has the measure. */
function curve(states: readonly Measured[], measure: Measure, data: DataSet): Point[] | undefined {
  const points = states.map((state, removed): Point => [removed, of(state, data)?.[measure] ?? Number.NaN]);
  const known = points.filter(isKnown);
  return known.length > 0 ? known : undefined;
}

function of(state: Measured, data: DataSet): Quality | undefined {
  if (data === "test") return state.test;
  return data === "held out" ? state.heldOut : state;
}

function isKnown([, value]: Point): boolean {
  return Number.isFinite(value);
}
