/** `shrinknet compare`: several criteria side by side on one model. */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { type Compensation, compare, criteria, type Schedule, ShrinkError } from "@shrinknet/core";
import { checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type OutputFile, writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { criterionFrom, objectivesFrom, parseCriteria } from "../options/own.ts";
import { parseNames, parseRemoval } from "../options/quantities.ts";
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
import { compareCsv, compareText } from "../text/compare.ts";

const schedules: readonly Schedule[] = ["rerank", "once"];
const compensations: readonly Compensation[] = ["none", "mean", "lstsq"];

export function compareCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("compare"))
    .description(
      "Removes units by each criterion under each schedule and notes the error after every removal. Writes no model.",
    )
    .argument("<model>", "ONNX file")
    .requiredOption("--data <file>", dataHelp)
    .option("--test <file>", "held-out samples: reported on, never used for a choice")
    .addOption(
      new Option(
        "--criteria <names>",
        `of ${Object.keys(criteria).join(", ")}, or modules of your own, with commas between`,
      )
        .argParser(parseCriteria)
        .default(["oracle", "taylor1", "taylor2"], "oracle,taylor1,taylor2"),
    )
    .addOption(
      new Option("--schedules <names>", "rerank (rank after every removal), once, or both with a comma between")
        .argParser((text): Schedule[] => parseNames(text, schedules))
        .default<Schedule[]>(["rerank"], "rerank"),
    )
    .addOption(
      new Option("--compensate <names>", `of ${compensations.join(", ")}, with commas between; each in runs of its own`)
        .argParser((text): Compensation[] => parseNames(text, compensations))
        .default<Compensation[]>(["none"], "none"),
    )
    .addOption(
      new Option("--remove <amount>", "how far each run goes: share or number of units")
        .argParser(parseRemoval)
        .default({ share: 1 }, "100%"),
    )
    .addOption(objectiveOption)
    .addOption(outputOption)
    .addOption(minKeepOption)
    .addOption(onlyOption)
    .addOption(skipOption)
    .option("--no-latency", "do not time the networks at eighths of each run")
    .option("--report <file>", "write an HTML report")
    .option("--csv <file>", "write one row per removal")
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
      "\nExample:\n  $ shrinknet compare digits.onnx --data calib.npz --criteria oracle,taylor2 --report compare.html",
    )
    .action(async (path, options) => {
      const { minKeep, only, skip, seed, remove, shape: shapes, threads, quiet } = options;
      await checkOutputs(
        { "--report": options.report, "--csv": options.csv },
        { "the model": path, "--data": options.data, "--test": options.test },
      );
      const { bytes, model } = await loadModel(path, shapes);
      const data = await readData(io, options.data, options, model.graph.feeds);
      const test = await readData(io, options.test, { ...options, samples: undefined }, model.graph.feeds);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const runs = options.criteria.length * options.schedules.length * options.compensate.length;
      const pace = new Map<string, ReturnType<typeof paceTeller>>();
      const summary = await withProgress(io, { title: `Comparing on ${path}`, quiet }, (tell) =>
        interruptible(io, tell, async (signal) => {
          const result = await naming({ model: path }, async () =>
            compare(bytes, {
              runner: nodeRunner({ threads }),
              data,
              test,
              criteria: await Promise.all(options.criteria.map(criterionFrom)),
              schedules: options.schedules,
              compensations: options.compensate,
              budget: { remove },
              objective: await objectivesFrom(options.objective),
              outputs: options.output,
              seed,
              shapes,
              untie: options.untie,
              kinds: options.kinds,
              fix: options.fix,
              signal,
              ...(options.latency && { latency: { clock: () => performance.now(), threads } }),
              name: path,
              ...(minKeep !== undefined && { minKeep }),
              ...(only && { only }),
              ...(skip && { skip }),
              onProgress({ criterion, schedule, compensation }, stage) {
                const name = `${criterion}, ${schedule}, compensation ${compensation}`;
                const shrinking = criterion === "oracle" && schedule === "rerank";
                const teller = pace.get(name) ?? paceTeller({ shrinking, known: true });
                pace.set(name, teller);
                const share = (pace.size - 1 + stage.removed / stage.expected) / runs;
                tell(`run ${pace.size} of ${runs}: ${name}: ${teller(stage)}`, share);
              },
            }),
          );
          if (signal.aborted) throw new ShrinkError("budget", "interrupted; nothing was written");
          return result;
        }),
      );
      const files: OutputFile[] = [];
      if (options.csv !== undefined) files.push({ path: options.csv, content: compareCsv(summary) });
      if (options.report !== undefined) {
        const { compareReport } = await import("@shrinknet/report");
        files.push({ path: options.report, content: compareReport(summary) });
      }
      await writeFiles(files);
      if (options.json) return printJson(io, summary);
      const names = files.map((file) => file.path);
      io.stdout.write(compareText(summary, names, colorsOf(io)));
    });
}
