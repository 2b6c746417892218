/**
 * shrinknet: makes trained networks smaller by removing whole units. Exports in the order of the path: prune.ts is the
 * path as one function.
 */

export { type GainOptions, gainCurves, parseUnit } from "./analysis/gain.ts";
export { applyPlan } from "./apply.ts";
export { type CompareOptions, compare } from "./compare.ts";
export type { Criterion, ScoringContext } from "./criteria/criterion.ts";
export { criteria, criterionOf } from "./criteria/index.ts";
export { type Thresholding, thresholded } from "./criteria/threshold.ts";
export * from "./data.ts";
export { type BackwardRequest, type Derivatives, differentiate } from "./derive/backward.ts";
export { GAINS, type GatedModel, gainsTensor, gateModel } from "./derive/gate.ts";
export * from "./errors.ts";
export { emptyGraph, GraphBuilder, opsetOf, type PlainAttribute } from "./graph/builder.ts";
export * from "./graph/graph.ts";
export { type ProbeOptions, probeShapes, type Shapes, type ValueShape } from "./graph/shapes.ts";
export * from "./graph/tensor.ts";
export { inspect } from "./inspect.ts";
export { Activations } from "./measure/activations.ts";
export { type Objective, type ObjectiveName, objectiveFor, TARGET, targetsOf } from "./measure/objective.ts";
export { Oracle } from "./measure/oracle.ts";
export { QualityMeter, qualityOf } from "./measure/quality.ts";
export { type State, stateOf, unitsLeft } from "./measure/state.ts";
export { type Chunk, type Subject, subjectOf } from "./measure/subject.ts";
export { type TaylorTerms, taylorTerms } from "./measure/taylor.ts";
export * from "./onnx/index.ts";
export type { Budget } from "./plan/budget.ts";
export { type ChooseOptions, type ChooseProgress, type Chosen, choose, type Schedule } from "./plan/choose.ts";
export { modelHash, type Plan, parsePlan, removedByGroup, unitsOfPlan } from "./plan/plan.ts";
export type { Selection } from "./plan/select.ts";
export { layerWidths, type PruneOptions, type PruneResult, prune, stateOfModel, withDataShapes } from "./prune.ts";
export { type TrainOptions, trainingStep } from "./recover/train.ts";
export * from "./results.ts";
export * from "./runner.ts";
export { cut, type RemovedUnits } from "./surgery/cut.ts";
export { type Size, sizeAfter } from "./surgery/size.ts";
export { VERIFY_TOLERANCE, verify } from "./surgery/verify.ts";
export { type Prunable, prepare } from "./units/prepare.ts";
export { type Frozen, type Group, groupOf, type Sink, type UnitKind, type Units } from "./units/units.ts";
export { randomSource } from "./util/random.ts";
