/**
 * shrinknet: makes trained networks smaller by removing whole units. The exports are in the order of the path that a
 * model takes; prune.ts is that path as one function.
 */

// The path as one call
export {
  type PruneOptions,
  type PruneResult,
  layerWidths,
  prune,
  stateOfModel,
  withDataShapes,
} from "./prune.ts";
export { type InspectOptions, inspect } from "./inspect.ts";
export { type CompareOptions, compare } from "./compare.ts";
export { applyPlan } from "./apply.ts";

// Files and graphs
export * from "./onnx/index.ts";
export * from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export { emptyGraph, GraphBuilder, opsetOf, type PlainAttribute } from "./graph/builder.ts";
export type { ProbeOptions } from "./graph/made-up.ts";
export { probeShapes, type Shapes, type ValueShape } from "./graph/shapes.ts";

// Compensation
export { bind, type BindOptions, type Bound } from "./compensate/bind.ts";
export { type Compensation, Compensator } from "./compensate/compensator.ts";

// Units
export { type Prunable, prepare } from "./units/prepare.ts";
export {
  type Frozen,
  type Group,
  groupOf,
  type OwnedPlace,
  type Sink,
  type UnitKind,
  type Units,
} from "./units/units.ts";

// Operators
export { type OperatorFeatures, operatorTable } from "./ops/index.ts";

// Derivatives
export { GAINS, type GatedModel, gainsTensor, gateModel } from "./derive/gate.ts";
export { type BackwardRequest, type Derivatives, differentiate } from "./derive/backward.ts";

// Measuring
export * from "./data.ts";
export { type Chunk, type Subject, subjectOf } from "./measure/subject.ts";
export { type Objective, type ObjectiveName, objectiveFor, TARGET, targetsOf } from "./measure/objective.ts";
export { type State, stateOf, unitsLeft } from "./measure/state.ts";
export { Activations } from "./measure/activations.ts";
export { QualityMeter, qualityOf } from "./measure/quality.ts";
export { CONFIDENCE, accuracyByClass, pairedDrop, rightAnswers } from "./measure/answers.ts";
export { type LatencyOptions, latencyOf } from "./measure/latency.ts";
export { type CostEstimate, type OracleCost, oracleCost } from "./measure/cost.ts";
export { Oracle } from "./measure/oracle.ts";
export { type TaylorTerms, taylorTerms } from "./measure/taylor.ts";

// Choosing
export type { Certificate, Criterion, ScoringContext } from "./criteria/criterion.ts";
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
export { type Size, sizeAfter } from "./surgery/size.ts";
export { VERIFY_TOLERANCE, verify } from "./surgery/verify.ts";
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
