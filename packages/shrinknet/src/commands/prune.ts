/** `shrinknet prune`: makes a model smaller. */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import {
  type Budget,
  criteria,
  defaultCriterion,
  type PruneResult,
  parseLatencyTable,
  ShrinkError,
} from "@shrinknet/core";
import { checkKeepsWeights, checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { readInput } from "../files/read-input.ts";
import { nameOf, throwIfInDoubt } from "../files/unverified.ts";
import { type OutputFile, writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { defaultCompensation, prune } from "../library/prune.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { criterionFrom, objectivesFrom, parseCriterion } from "../options/own.ts";
import {
  parseAlign,
  parseBytes,
  parseConfidence,
  parseCount,
  parseFileSize,
  parseHoldOut,
  parseLatency,
  parseRemoval,
  parseRise,
  parseShare,
} from "../options/quantities.ts";
import {
  dataHelp,
  fixOption,
  jsonOption,
  jsonSchemaOption,
  kindsOption,
  minKeepOption,
  objectiveOption,
  onlyOption,
  outputOption,
  quietOption,
  seedOption,
  shapeOption,
  skipOption,
  threadsOption,
  untieOption,
} from "../options/shared.ts";
import { interruptible } from "../progress/interrupt.ts";
import { paceTeller } from "../progress/pace.ts";
import { withProgress } from "../progress/progress.ts";
import { colorsOf } from "../text/colors.ts";
import { costText } from "../text/cost.ts";
import { plural } from "../text/format.ts";
import { assumedText } from "../text/inspect.ts";
import { planText } from "../text/plan.ts";
import { pruneText, shortText, verificationOf } from "../text/prune.ts";
import { traceText } from "../text/trace.ts";

export function pruneCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("prune"))
    .description(
      "Removes the units that matter least, one after the other, until a budget is used up (default: one point of " +
        "accuracy, or 10% more error; of outputs without labels 10% of their variance), and writes the smaller model once it is verified.",
    )
    .argument("<model>", "ONNX file; never changed")
    .option("--data <file>", `${dataHelp}; may be left out for magnitude and random`)
    .option("--out <file>", "the smaller ONNX file; default: beside the model, NAME.small.onnx")
    .option("--test <file>", "held-out samples: reported on, never used for a choice")
    .option(
      "--criterion <name>",
      `what a unit is judged by: ${Object.keys(criteria).join(", ")}, or a module of your own such as ./mine.ts; default obs where consumers are refitted (--compensate), else oracle`,
      parseCriterion,
    )
    .addOption(
      new Option("--schedule <name>", "rank after every removal, or once")
        .choices(["rerank", "once"] as const)
        .default("rerank" as const),
    )
    .addOption(
      new Option("--oracle <how>", "how the oracle measures; auto goes by what exact measurement would cost")
        .choices(["auto", "exact", "lazy", "racing"] as const)
        .default("auto" as const),
    )
    .option(
      "--delta <chance>",
      "racing: chance that a pick is not the best of its candidates, such as 0.1%",
      parseShare,
    )
    .option("--memory <size>", "kept activations take no more than this, such as 2GB (default)", parseBytes)
    .option("--shortlist <share>", "racing: share of the units that race, chosen by Taylor estimates", parseShare)
    .addOption(objectiveOption)
    .addOption(outputOption)
    .addOption(
      new Option(
        "--compensate <how>",
        "what makes up for removed units: nothing, their mean, or refitted consumers; default lstsq with data, but none with --remove, --criterion or --oracle",
      ).choices(["none", "mean", "lstsq"] as const),
    )
    .option(
      "--recalibrate",
      "with compensation: statistics of normalisations are measured anew where that helps (default)",
    )
    .option("--no-recalibrate", "they stay as they are")
    .option("--polish", "after the last removal, swap removed units for others of their group while the error falls")
    .option("--remove <amount>", "goal: share or number of units to remove, such as 40% or 12", parseRemoval)
    .option("--max-accuracy-drop <share>", "limit: accuracy that may be lost, such as 1%", parseShare)
    .option(
      "--confidence <share>",
      "the accuracy drop must be within its limit with this confidence, such as 95%, on held-out samples",
      parseConfidence,
    )
    .option(
      "--hold-out <share>",
      "share of the calibration samples that no unit is scored on; default 20% with a limit on the accuracy and at least " +
        "500 samples, or with --confidence, else 0%",
      parseHoldOut,
    )
    .option(
      "--max-error-rise <share>",
      "limit: rise of each output's error, such as 10%; of outputs held to the original's own as a share of their variance",
      parseRise,
    )
    .option("--target-macs <share>", "goal: MACs that are left, such as 50%", parseShare)
    .option("--target-params <share>", "goal: parameters that are left, such as 50%", parseShare)
    .option("--target-bytes <size>", "goal: bytes of the file, such as 200KB or 50% of the original", parseFileSize)
    .option(
      "--target-latency <time>",
      "goal: time of one run, such as 60% of the original's or 0.5ms, by measurements on this machine",
      parseLatency,
    )
    .option("--latency-table <file>", "go by what shrinknet latency has measured, perhaps on another machine")
    .option(
      "--align <n>",
      "widths of touched layers end as multiples of this; default: with goals of cost the block that this runtime is fast with, which is measured once, with --remove 1",
      parseAlign,
    )
    .option(
      "--trace-every <n>",
      "measure error and accuracy after every so many removals (default: after each where that is cheap)",
      parseCount,
    )
    .option("--best-effort", "write what was reached where a goal cannot be reached")
    .addOption(minKeepOption)
    .addOption(onlyOption)
    .addOption(skipOption)
    .option("--plan <file>", "write the decision as JSON, to replay with apply")
    .option("--trace <file>", "write one row per removal: CSV if the name ends in .csv, else JSON lines")
    .option("--report <file>", "write an HTML report")
    .option("--no-latency", "do not measure how long a sample takes before and after")
    .option("--latency", "measure it (default)")
    .option("--details", "print widths of layers, each measure before and after, and how sure the choice is")
    .addOption(shapeOption)
    .addOption(untieOption)
    .addOption(kindsOption)
    .addOption(fixOption)
    .addOption(seedOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(jsonSchemaOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      "\nExample:\n  $ shrinknet prune digits.onnx --data calib.npz --test test.npz --max-accuracy-drop 1% --out small.onnx",
    )
    .action(async (path, options) => {
      const { schedule, minKeep, only, skip, seed, out = smallName(path), threads } = options;
      const compensate = options.compensate ?? defaultCompensation(options);
      const own = options.criterion === undefined ? undefined : await criterionFrom(options.criterion);
      const criterion = typeof own === "object" ? own : criteria[own ?? defaultCriterion(compensate)];
      for (const [option, wanted, instead] of [
        [`--criterion ${criterion?.name}`, criterion?.needsData, ", or use magnitude"],
        ["--polish", options.polish, ""],
        [`--compensate ${compensate}`, compensate !== "none", ""],
      ] as const) {
        if (!wanted || options.data) continue;
        throw new ShrinkError("option", `${option}: needs samples; give them with --data${instead}`);
      }
      const outputs = { "--plan": options.plan, "--trace": options.trace, "--report": options.report, "--out": out };
      await checkOutputs(outputs, { "the model": path, "--data": options.data, "--test": options.test });
      const { bytes, model, dataFiles } = await loadModel(path, options.shape);
      await checkKeepsWeights(outputs, dataFiles);
      const data = await readData(io, options.data, options, model.graph.feeds);
      const test = await readData(io, options.test, { ...options, samples: undefined }, model.graph.feeds);
      const latencyTable =
        options.latencyTable === undefined
          ? undefined
          : parseLatencyTable(new TextDecoder().decode(await readInput(options.latencyTable, "a latency table")));
      const pace = paceTeller({
        shrinking: criterion?.name === "oracle" && schedule === "rerank",
        known: [options.remove, options.targetMacs, options.targetParams, options.targetLatency].some(
          (goal) => goal !== undefined,
        ),
      });
      const objective = await objectivesFrom(options.objective);
      const result = await withProgress(io, { title: `Pruning ${path}`, quiet: options.quiet }, (tell) =>
        interruptible(io, tell, (signal) =>
          prune(bytes, {
            ...{ threads, data, test, schedule, seed, signal, latencyTable, compensate, objective },
            names: { model: path, out },
            criterion: own,
            recalibrate: options.recalibrate,
            compensationCurves: options.report !== undefined,
            ...(options.traceEvery !== undefined && { traceEvery: options.traceEvery }),
            polish: options.polish ?? false,
            outputs: options.output,
            shapes: options.shape,
            ...{ untie: options.untie, kinds: options.kinds, fix: options.fix },
            ...{ oracle: options.oracle, memory: options.memory },
            racing: {
              ...(options.delta !== undefined && { delta: options.delta }),
              ...(options.shortlist !== undefined && { shortlist: options.shortlist }),
            },
            onCost: (cost) => {
              if (!options.quiet && cost.macs > LONG_RUN) io.stderr.write(`${costText(cost)}\n`);
            },
            ...limitsAndGoals(options),
            holdOut: options.holdOut,
            ...(options.align !== undefined && { align: options.align }),
            latency: options.latency,
            ...(minKeep !== undefined && { minKeep }),
            ...(only && { only }),
            ...(skip && { skip }),
            traceTest: options.report !== undefined || options.trace !== undefined,
            bestEffort: options.bestEffort ?? false,
            onProgress: (stage) => tell(pace(stage), stage.removed / stage.expected),
          }),
        ),
      );
      const { summary } = result;
      if (summary.before.units === 0) {
        throw new ShrinkError("model", `${path}: nothing can be removed, so nothing was written; inspect shows why`);
      }
      io.stderr.write(assumedText(summary.assumed ?? []));
      const isPartial = summary.stopped === "interrupted";
      const files = await outputsOf(result, { ...options, out }, isPartial);
      await writeFiles(files);
      if (isPartial) throw interrupted(summary.removed.length, options.plan);
      const verification = verificationOf(summary);
      const written = nameOf(out, verification);
      const names = files.map((file) => file.path);
      if (options.json) printJson(io, { ...summary, out: written });
      else io.stdout.write((options.details ? pruneText : shortText)(summary, names, colorsOf(io)));
      throwIfInDoubt(verification, written);
    });
}

interface Wanted {
  readonly out: string;
  readonly plan?: string | undefined;
  readonly trace?: string | undefined;
  readonly report?: string | undefined;
}

/** The files to write, the model last. Of an interrupted run only the plan and the trace so far. */
async function outputsOf(result: PruneResult, wanted: Wanted, isPartial: boolean): Promise<OutputFile[]> {
  const { bytes, plan, summary } = result;
  const files: OutputFile[] = [];
  if (wanted.plan !== undefined) files.push({ path: wanted.plan, content: planText(plan) });
  if (wanted.trace !== undefined) files.push({ path: wanted.trace, content: traceText(wanted.trace, summary.removed) });
  if (isPartial) return files;
  if (wanted.report !== undefined) {
    const { pruneReport } = await import("@shrinknet/report");
    files.push({ path: wanted.report, content: pruneReport(summary) });
  }
  return [...files, { path: nameOf(wanted.out, verificationOf(summary)), content: bytes }];
}

/** What ends a run. */
const limitsAndGoals = (options: Budget): Budget => {
  const { remove, maxAccuracyDrop, confidence, maxErrorRise, targetMacs, targetParams, targetBytes, targetLatency } =
    options;
  return { remove, maxAccuracyDrop, confidence, maxErrorRise, targetMacs, targetParams, targetBytes, targetLatency };
};

/** `models/net.onnx` -> `models/net.small.onnx` */
const smallName = (path: string): string => `${path.replace(/\.onnx$/i, "")}.small.onnx`;

/** Runs of the oracle above this many multiply-accumulates are announced: some seconds. */
const LONG_RUN = 1e11;

function interrupted(removals: number, plan: string | undefined): ShrinkError {
  const kept = plan === undefined ? "nothing was written" : `the plan so far is in ${plan}, no model was written`;
  return new ShrinkError("budget", `interrupted after ${plural(removals, "removal")}; ${kept}`);
}
