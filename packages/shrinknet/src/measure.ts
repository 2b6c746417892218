/**
 * Measuring: the error of a network without some units, exactly or by estimates.
 *
 * @module shrinknet/measure
 */
export {
  accuracyByClass,
  bindSamples,
  createEvaluator,
  type Evaluation,
  type Evaluator,
  type EvaluatorOptions,
  gainCurves,
  latencyOf,
  measureBlock,
  measureLatency,
  Oracle,
  type OracleCost,
  oracleCost,
  pairedDrop,
  range,
  type Samples,
  type State,
  stateOf,
  type TaylorTerms,
  taylorTerms,
  unitsLeft,
} from "@shrinknet/core";
export { type NodeRunnerOptions, nodeRunner } from "@shrinknet/runtime/node";
