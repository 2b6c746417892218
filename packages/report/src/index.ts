/**
 * Results -> SVG charts -> one self-contained HTML file. Reports first, then the charts that they are made of (each returns a complete SVG file),
 * then the pure computations behind the charts, for those who draw or print them differently.
 */

export { causesChart } from "./charts/causes.ts";
export type { ChartOptions } from "./charts/frame.ts";
export { type GainChartOptions, gainChart } from "./charts/gain.ts";
export { interactionsChart } from "./charts/interactions.ts";
export { type LayerOrderOptions, type LayerRow, layerOrderChart } from "./charts/layer-order.ts";
export { type Dot, type LineChart, lineChart, type Rule } from "./charts/line.ts";
export { networkGraph } from "./charts/network.ts";
export { partnersChart } from "./charts/partners.ts";
export { type PredictedChartOptions, type PredictedSeries, predictedChart } from "./charts/predicted.ts";
export { accuracyChart, type ErrorChartOptions, errorChart, type QualityChartOptions } from "./charts/quality.ts";
export { type SharesChartOptions, type SharesRow, sharesChart } from "./charts/shares.ts";
export { widthsChart } from "./charts/widths.ts";
export {
  computeAgreementLines,
  computeFailureLines,
  computeGroupPaths,
  computeMeanAgreement,
  computeShares,
  type MeanAgreement,
} from "./compute/analysis.ts";
export { type Change, computeChanges } from "./compute/changes.ts";
export { computeCompareCurves, computePruneCurves, type DataSet, type Measure } from "./compute/curves.ts";
export { computeLayout, type Layout, type LayoutEdge, type LayoutNode } from "./compute/layout.ts";
export { computeGainLines, type GainLines } from "./compute/gain-lines.ts";
export { computeLayerRuns, type LayerRun, type RemovalPlace } from "./compute/layer-order.ts";
export { computePredictions, type Prediction } from "./compute/predictions.ts";
export { computeRunSummaries, type RunSummaries, type RunSummary } from "./compute/run-summary.ts";
export type { ScaleType } from "./compute/scale.ts";
export { computeSquares, type Square } from "./compute/squares.ts";
export { formatAccuracy, formatCount, formatNumber, formatShare } from "./format.ts";
export { type Content, html, type Markup } from "./html.ts";
export { analysisReport } from "./pages/analysis.ts";
export { compareReport } from "./pages/compare.ts";
export { facts, figure, page, section, table } from "./pages/page.ts";
export { pruneReport } from "./pages/prune.ts";
export type { Point, Series } from "./series.ts";
