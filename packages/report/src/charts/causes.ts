import type { AnalyzedStep } from "@shrinknet/core";
import { computeCauseLines } from "../compute/analysis.ts";
import type { ChartOptions } from "./frame.ts";
import { lineChart } from "./line.ts";

/**
 * Rank correlation with the oracle along its run: of taylor2, which has all causes of failure; of the exact parabola, which has no diagonal error;
 * and of the costs measured on the intact network, which lack nothing but interaction with the units that have gone since.
 */
export function causesChart(steps: readonly AnalyzedStep[], options: ChartOptions = {}): string {
  return lineChart({
    title: "Rank correlation with the oracle, with causes taken away",
    ...options,
    xLabel: "units removed",
    yLabel: "Spearman's rank correlation",
    series: computeCauseLines(steps),
    yInclude: [0, 1],
  });
}
