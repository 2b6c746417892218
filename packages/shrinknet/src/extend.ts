/**
 * What criteria, objectives and runners of your own are made of.
 *
 * @module shrinknet/extend
 */
export type {
  BoundObjective,
  Certificate,
  Criterion,
  Joint,
  Objective,
  OutputInfo,
  Runner,
  RunnerOptions,
  RunStart,
  Scorer,
  ScoringContext,
  Session,
} from "@shrinknet/core";
export { criterionOf, groupOf, objectiveOf } from "@shrinknet/core";
