/** `prune` as a user calls it: paths or bytes, the runner and the defaults of the command. */
import { type Budget, type PruneOptions as CoreOptions, type PruneResult, prune as prunePath } from "@shrinknet/core";
import { checkKeepsWeights, checkOutputs } from "../files/check-outputs.ts";
import { naming } from "../files/naming.ts";
import { nameOf } from "../files/unverified.ts";
import { writeFiles } from "../files/write-files.ts";
import { verificationOf } from "../text/prune.ts";
import { channelBlockOf } from "./block-cache.ts";
import { type RunnerChoice, runnerOf } from "./runner.ts";
import { type DataSource, dataOf, type ModelSource, modelOf } from "./sources.ts";

type Own = "budget" | "data" | "latency" | "runner" | "test";

/** Limits and goals stand beside the other options; without any, one point of accuracy or 10 % of the outputs' variance. */
export interface PruneOptions extends Omit<CoreOptions, Own>, Omit<Budget, "remove">, RunnerChoice {
  /** Calibration samples. May be left out for criteria that need none (`magnitude`, `random`). */
  readonly data?: DataSource | undefined;
  /** Held-out samples: reported on, never used for a choice. */
  readonly test?: DataSource | undefined;
  /** How many units to remove: a number of them, or `{ share: 0.4 }`. */
  readonly remove?: number | Budget["remove"] | undefined;
  /** Where the smaller file is written; default: it is not written. `.unverified` is added where verification is in doubt. */
  readonly out?: string | undefined;
  /** Whether both files are timed at the end; default true. */
  readonly latency?: boolean | undefined;
}

/**
 * Makes a model smaller: `prune("model.onnx", { data: "calib.npz", targetMacs: 0.5, out: "small.onnx" })`. With data consumers are
 * fitted again (`compensate: "lstsq"`), unless a number of units, a criterion or a way of the oracle is asked for; with goals of cost whole
 * blocks of channels go.
 *
 * Throws a `ShrinkError` where something is wrong; the model is never changed. After an abort (`signal`) it resolves with what there is,
 * `summary.stopped` is "interrupted", and nothing is written.
 */
export async function prune(model: ModelSource, options: PruneOptions = {}): Promise<PruneResult> {
  const { data, test, out, latency = true, threads: _, runner: __, ...rest } = options;
  const [budget, others] = budgetOf(rest);
  const path = (source: unknown): string | undefined => (typeof source === "string" ? source : undefined);
  await checkOutputs({ out }, { "the model": path(model), data: path(data), test: path(test) });
  const { runner, threads } = await runnerOf(options);
  const { bytes, name, dataFiles } = await modelOf(model, options.shapes);
  await checkKeepsWeights({ out }, dataFiles);
  const named = options.names?.model ?? name;
  const { compensate = defaultCompensation(options) } = options;
  const isPerUnit =
    options.remove !== undefined || (options.oracle ?? "auto") !== "auto" || options.align !== undefined;
  const block = options.block ?? (isPerUnit || options.runner ? undefined : await channelBlockOf(runner));
  const isTimed = latency || budget.targetLatency !== undefined;
  const result = await naming({ model: named }, async () =>
    prunePath(bytes, {
      names: { model: name, out: out ?? "" },
      ...others,
      runner,
      compensate,
      data: await dataOf(data, bytes),
      test: await dataOf(test, bytes),
      ...(Object.keys(budget).length > 0 && { budget }),
      ...(block !== undefined && { block }),
      ...(isTimed && { latency: { clock: () => performance.now(), threads } }),
    }),
  );
  if (out !== undefined && result.summary.stopped !== "interrupted") {
    await writeFiles([{ path: nameOf(out, verificationOf(result.summary)), content: result.bytes }]);
  }
  return result;
}

/** Repair is what a goal of cost or a limit is for; one that names units or how to judge them is taken at its word. */
export function defaultCompensation({
  data,
  remove,
  criterion,
  oracle = "auto",
}: Pick<PruneOptions, "criterion" | "data" | "oracle" | "remove">): "lstsq" | "none" {
  const isPlain = remove !== undefined || criterion !== undefined || oracle !== "auto";
  return isPlain || data === undefined ? "none" : "lstsq";
}

const BUDGET = {
  ...{ remove: true, maxAccuracyDrop: true, confidence: true, maxErrorRise: true, maxOutputChange: true },
  ...{ targetMacs: true, targetParams: true, targetBytes: true, targetLatency: true },
} as const satisfies Record<keyof Budget, true>;

/** The limits and goals among options, and the others. */
function budgetOf<T extends Omit<PruneOptions, Exclude<Own, "budget">>>(options: T): [Budget, Omit<T, keyof Budget>] {
  const { remove } = options;
  const given = Object.entries({ ...options, remove: typeof remove === "number" ? { count: remove } : remove });
  const isBudget = ([key, value]: [string, unknown]): boolean => key in BUDGET && value !== undefined;
  const budget = Object.fromEntries(given.filter(isBudget)) as Budget;
  return [budget, Object.fromEntries(given.filter(([key]) => !(key in BUDGET))) as Omit<T, keyof Budget>];
}
