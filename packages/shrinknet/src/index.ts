/**
 * shrinknet: makes trained networks smaller and faster by removing whole units.
 *
 *     import { prune } from "shrinknet";
 *     const { summary } = await prune("model.onnx", { data: "calib.npz", targetMacs: 0.5, out: "small.onnx" });
 *
 * Parts for builders: `shrinknet/graph`, `shrinknet/measure`, `shrinknet/extend`. In the browser: `@shrinknet/core` with
 * `@shrinknet/runtime/web`.
 *
 * @module shrinknet
 */
export { type PruneOptions, prune } from "./library/prune.ts";
export { analyze, applyPlan, compare, evaluate, inspect } from "./library/others.ts";
export type { RunnerChoice } from "./library/runner.ts";
export type { DataSource, ModelSource } from "./library/sources.ts";
export { type Arrays, dataset } from "@shrinknet/data";
export { type LoadOptions, loadData } from "@shrinknet/data/node";
export {
  type AnalyzeSummary,
  type Budget,
  type CompareSummary,
  criteria,
  type Criterion,
  type Dataset,
  type ErrorCode,
  type EvaluateSummary,
  type InspectSummary,
  type Objective,
  objectives,
  parsePlan,
  type Plan,
  type PruneResult,
  type PruneSummary,
  type Runner,
  ShrinkError,
  UNIT_KINDS,
  type UnitKind,
} from "@shrinknet/core";
