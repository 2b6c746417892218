/** The paper's experiments, from data to figures: run.ts is the path. */
export { cropped, type Digits, datasetOf, loadDigits } from "./digits.ts";
export type { Experiment, Goal, Measure, PublishedFigure, Samples, Training } from "./experiments/experiment.ts";
export { unitsOf } from "./experiments/experiment.ts";
export { findExperiments } from "./experiments/find.ts";
export { experiments } from "./experiments/table.ts";
export type { CriterionName, Measured } from "./measure/measured.ts";
export { goalText } from "./measure/trained.ts";
export { type DenseSpec, denseModel } from "./network.ts";
export { type CheckResult, type Verdict, verdictOf } from "./results/claims.ts";
export { boundText, rangeText } from "./results/page.ts";
export { findings } from "./results/titles.ts";
export { defaultCache, type ExperimentSummary, type PaperOptions, type PaperSummary, runPaper } from "./run.ts";
export { type TrainingPlan, train } from "./train.ts";
