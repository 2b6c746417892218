/** `shrinknet analyze`: why estimates of a unit's worth fail on one model. */
import { Command, type CommandUnknownOpts, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { analyze, analyzedCriteria } from "@shrinknet/core";
import { checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type OutputFile, writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { objectivesFrom } from "../options/own.ts";
import { parseNames, parseRemoval, parseWhole } from "../options/quantities.ts";
import {
  dataHelp,
  fixOption,
  jsonOption,
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
import { withProgress } from "../progress/progress.ts";
import { analyzeText } from "../text/analyze.ts";
import { colorsOf } from "../text/colors.ts";

export function analyzeCommand(io: Io): CommandUnknownOpts {
  const known = Object.keys(analyzedCriteria);
  return withDataOptions(new Command("analyze"))
    .description(
      "Removes units by the oracle and looks at stages on the way: how each criterion's ranking agrees with the " +
        "measured one, why taylor2 is wrong, and which units cancel each other. Writes no model.",
    )
    .argument("<model>", "ONNX file")
    .requiredOption("--data <file>", dataHelp)
    .addOption(
      new Option("--criteria <names>", `of ${known.join(", ")}, with commas between; default: all`).argParser(
        (text): string[] => parseNames(text, known),
      ),
    )
    .addOption(
      new Option("--remove <amount>", "how far the oracle's run goes: share or number of units")
        .argParser(parseRemoval)
        .default({ share: 0.6 }, "60%"),
    )
    .option("--steps <n>", "stages to look at, the intact network among them", parseStages, 8)
    .option("--pair-units <n>", "most units to pair; n of them make n (n - 1) / 2 pairs", parseWhole, 128)
    .addOption(objectiveOption)
    .addOption(outputOption)
    .addOption(minKeepOption)
    .addOption(onlyOption)
    .addOption(skipOption)
    .option("--report <file>", "write an HTML report")
    .addOption(shapeOption)
    .addOption(untieOption)
    .addOption(kindsOption)
    .addOption(fixOption)
    .addOption(seedOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(quietOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet analyze digits.onnx --data calib.npz --report why.html")
    .action(async (path, options) => {
      const { minKeep, only, skip, seed, remove, steps, pairUnits, criteria, shape: shapes } = options;
      await checkOutputs({ "--report": options.report }, { "the model": path, "--data": options.data });
      const { bytes, model } = await loadModel(path, shapes);
      const data = await readData(io, options.data, options, model.graph.feeds);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const summary = await withProgress(io, { title: `Analyzing ${path}`, quiet: options.quiet }, (tell) =>
        interruptible(io, tell, (signal) =>
          naming({ model: path }, async () =>
            analyze(bytes, {
              runner: nodeRunner({ threads: options.threads }),
              data,
              remove,
              steps,
              pairUnits,
              objective: await objectivesFrom(options.objective),
              outputs: options.output,
              seed,
              shapes,
              untie: options.untie,
              kinds: options.kinds,
              fix: options.fix,
              signal,
              name: path,
              ...(criteria && { criteria }),
              ...(minKeep !== undefined && { minKeep }),
              ...(only && { only }),
              ...(skip && { skip }),
              onProgress: tell,
            }),
          ),
        ),
      );
      const files: OutputFile[] = [];
      if (options.report !== undefined) {
        const { analysisReport } = await import("@shrinknet/report");
        files.push({ path: options.report, content: analysisReport(summary) });
      }
      await writeFiles(files);
      if (options.json) return printJson(io, summary);
      const names = files.map((file) => file.path);
      io.stdout.write(analyzeText(summary, names, colorsOf(io)));
    });
}

function parseStages(text: string): number {
  const stages = parseWhole(text);
  if (stages === 0) throw new InvalidArgumentError("expected 1 or more");
  return stages;
}
