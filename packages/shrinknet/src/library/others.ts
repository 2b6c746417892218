/** The other verbs as a user calls them: paths or bytes, onnxruntime-node unless another runner is given. */
import * as core from "@shrinknet/core";
import { type RunnerChoice, runnerOf } from "./runner.ts";
import { type DataSource, dataOf, type ModelSource, modelOf } from "./sources.ts";

type Convenient<Options, Data extends string = "data"> = Omit<Options, "runner" | Data> & RunnerChoice;

/** What can be removed from a model, and what cannot and why: `inspect("model.onnx")`. Throws a `ShrinkError` for what is no model. */
export async function inspect(
  model: ModelSource,
  options: Convenient<core.InspectOptions> & { readonly data?: DataSource | undefined } = {},
): Promise<core.InspectSummary> {
  const { bytes, name } = await modelOf(model, options.shapes);
  const { runner } = await runnerOf(options);
  return core.inspect(bytes, { name, ...options, runner, data: await dataOf(options.data, bytes) });
}

/** Error and accuracy on data, alone or held to another model: `evaluate("small.onnx", { data: "test.npz", against: "model.onnx" })`. */
export async function evaluate(
  model: ModelSource,
  options: Omit<Convenient<core.EvaluateOptions>, "against"> & {
    readonly data: DataSource;
    readonly against?: ModelSource | undefined;
  },
): Promise<core.EvaluateSummary> {
  const { runner } = await runnerOf(options);
  const { bytes, name } = await modelOf(model, options.shapes);
  const against = options.against === undefined ? undefined : await modelOf(options.against, options.shapes);
  const data = await dataOf(options.data, bytes);
  const names = { model: name, data: data.source, ...(against && { against: against.name }) };
  return core.evaluate(bytes, { names, ...options, runner, data, against: against?.bytes });
}

/** Several criteria side by side; writes nothing. */
export async function compare(
  model: ModelSource,
  options: Convenient<core.CompareOptions, "data" | "test"> & {
    readonly data: DataSource;
    readonly test?: DataSource | undefined;
  },
): Promise<core.CompareSummary> {
  const { runner } = await runnerOf(options);
  const { bytes } = await modelOf(model, options.shapes);
  return core.compare(bytes, {
    ...options,
    runner,
    data: await dataOf(options.data, bytes),
    test: await dataOf(options.test, bytes),
  });
}

/** How far estimates of a unit's worth are from the oracle, and why. */
export async function analyze(
  model: ModelSource,
  options: Convenient<core.AnalyzeOptions> & { readonly data: DataSource },
): Promise<core.AnalyzeSummary> {
  const { runner } = await runnerOf(options);
  const { bytes, name } = await modelOf(model, options.shapes);
  return core.analyze(bytes, { name, ...options, runner, data: await dataOf(options.data, bytes) });
}

/** Replays a plan on the file that it was made for: the same bytes again. Repair needs the same data. */
export async function applyPlan(
  model: ModelSource,
  plan: core.Plan,
  options: Convenient<core.OpenOptions> & { readonly data?: DataSource | undefined } = {},
): Promise<{ readonly bytes: Uint8Array; readonly verification: core.Verification }> {
  const { runner } = await runnerOf(options);
  const { bytes } = await modelOf(model, options.shapes);
  return core.applyPlan(bytes, plan, { ...options, runner, data: await dataOf(options.data, bytes) });
}
