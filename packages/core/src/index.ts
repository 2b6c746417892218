/**
 * shrinknet: makes trained networks smaller by removing whole units. The exports are in the order of the path that a
 * model takes; prune.ts is that path as one function.
 *
 * @module @shrinknet/core
 */

// The path as one call
export { type PruneOptions, type PruneResult, layerWidths, prune } from "./prune.ts";
export { type EvaluateOptions, evaluate } from "./evaluate.ts";
export { type InspectOptions, inspect } from "./inspect.ts";
export { type CompareOptions, compare } from "./compare.ts";
export { applyPlan } from "./apply.ts";
export { type OpenedModel, type OpenOptions, openModel } from "./open.ts";

// Files and graphs
export { modelChunks, modelSize, type ReadOptions, readModel, writeModel } from "./onnx/index.ts";
export * from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export { emptyGraph, GraphBuilder, opsetOf, type PlainAttribute } from "./graph/builder.ts";
export type { FixedInputs } from "./specialise.ts";
export type { PrepareOptions } from "./units/prepare.ts";
export type { ProbeOptions } from "./graph/input-layout.ts";
export { probeShapes, type Shapes, type ValueShape } from "./graph/shapes.ts";

// Compensation
export { bind, type BindOptions, type Bound } from "./compensate/bind.ts";
export { type Compensation, Compensator } from "./compensate/compensator.ts";

// Units
export { type Prunable, prepare, prepareForData } from "./units/prepare.ts";
export type { Batching } from "./graph/batching.ts";
export {
  type Frozen,
  type Group,
  groupOf,
  type OwnedPlace,
  type Sink,
  type UnitKind,
  UNIT_KINDS,
  type Units,
} from "./units/units.ts";

// Operators
export { type OperatorFeatures, operatorTable } from "./ops/table.ts";

// Derivatives
export { GAINS, type GatedModel, gainsTensor, gateModel } from "./derive/gate.ts";
export { type BackwardRequest, type Derivatives, differentiate } from "./derive/backward.ts";

// Measuring
export { type Dataset, range } from "./data/dataset.ts";
export { bindSamples } from "./data/bind.ts";
export { feedOf, feedsOf, pick, type SampleInput, type Samples } from "./data/samples.ts";
export { type Chunk, createEvaluator, type Evaluator, type EvaluatorOptions } from "./measure/evaluator.ts";
export { Evaluation, type OutputEvaluation } from "./measure/evaluation.ts";
export { objectiveOf, objectives } from "./measure/objectives/index.ts";
export type { BoundObjective, Objective, OutputInfo } from "./measure/objectives/objective.ts";
export {
  derivativeSeeds,
  type ObjectiveOptions,
  type OutputTerm,
  targetInputs,
  termError,
} from "./measure/objectives/model-objective.ts";
export { type State, stateOf, unitsLeft } from "./measure/state.ts";
export { Activations } from "./measure/activations.ts";
export { type Measured, QualityMeter } from "./measure/quality.ts";
export { CONFIDENCE, accuracyByClass, pairedDrop } from "./measure/correctness.ts";
export { measureBlock } from "./latency/block.ts";
export { type LatencyOptions, latencyOf } from "./latency/compare.ts";
export { type MeasureOptions, measureLatency } from "./latency/measure.ts";
export { LatencyModel, type LearnOptions } from "./latency/model.ts";
export { type LatencyTable, parseLatencyTable } from "./latency/table.ts";
export { type CostEstimate, type OracleCost, oracleCost } from "./measure/cost.ts";
export { Oracle } from "./measure/oracle.ts";
export { type TaylorTerms, taylorTerms } from "./measure/taylor.ts";

// Choosing
export type { Certificate, Criterion, Joint, RunStart, Scorer, ScoringContext } from "./criteria/criterion.ts";
export { criteria, criterionOf, type OracleMode, oracleBy } from "./criteria/index.ts";
export type { RacingOptions } from "./criteria/racing.ts";
export { type Thresholding, thresholded } from "./criteria/threshold.ts";
export type { Budget } from "./plan/budget.ts";
export type { SplitOptions } from "./plan/split.ts";
export { HOLD_OUT_SHARE, holdOut, type SplitData } from "./measure/hold-out.ts";
export type { Selection } from "./plan/select.ts";
export { type ChooseOptions, type ChooseProgress, type Chosen, choose, type Schedule } from "./plan/choose.ts";
export { defaultCriterion } from "./plan/criterion-for.ts";
export { certificatesInWords, certificatesOf } from "./plan/certificates.ts";
export { modelHash, type Plan, parsePlan, removedByGroup, unitsOfPlan } from "./plan/plan.ts";

// Cutting and proving
export { cut } from "./surgery/cut.ts";
export type { RemovedUnits } from "./surgery/kept.ts";
export { type Size, sizeAfter, sizeOfModel } from "./surgery/size.ts";
export { VERIFY_TOLERANCE } from "./surgery/differences.ts";
export { verify, type VerifyRequest } from "./surgery/verify.ts";
export { sampleFeeds } from "./surgery/samples.ts";

// Training and looking closer
export { type Training, type TrainOptions, trainingStep } from "./recover/train.ts";
export { type AnalyzeOptions, analyze, analyzedCriteria } from "./analysis/analyze.ts";
export { exactParabola } from "./analysis/exact-parabola.ts";
export { type GainOptions, gainCurves, parseUnit } from "./analysis/gain.ts";

// What everything takes and gives
export * from "./results.ts";
export * from "./runner.ts";
export * from "./errors.ts";
export { randomSource, shuffled } from "./util/random.ts";
