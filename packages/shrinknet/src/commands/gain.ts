/** `shrinknet gain`: the error as the output of single units is scaled. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { createEvaluator, type GainSummary, gainCurves, openModel, parseUnit, ShrinkError } from "@shrinknet/core";
import { checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type OutputFile, writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { objectivesFrom } from "../options/own.ts";
import { parseNumber } from "../options/quantities.ts";
import {
  dataHelp,
  fixOption,
  jsonOption,
  jsonSchemaOption,
  kindsOption,
  objectiveOption,
  outputOption,
  quietOption,
  shapeOption,
  threadsOption,
  untieOption,
} from "../options/shared.ts";
import { withProgress } from "../progress/progress.ts";
import { colorsOf } from "../text/colors.ts";
import { gainCsv, gainText } from "../text/gain.ts";

export function gainCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("gain"))
    .description(
      "Multiplies the output of single units by a gain (0 removed, 1 intact) and measures the error, beside what the " +
        "Taylor criteria predict for gain 0.",
    )
    .argument("<model>", "ONNX file")
    .requiredOption("--data <file>", dataHelp)
    .requiredOption("--unit <group:index...>", "units as inspect names their groups, such as fc1:3")
    .option("--from <gain>", "first gain", parseNumber, 0)
    .option("--to <gain>", "last gain", parseNumber, 10)
    .option("--step <gain>", "distance between gains", parseNumber, 0.1)
    .addOption(objectiveOption)
    .addOption(outputOption)
    .option("--csv <file>", "write one row per unit and gain")
    .option("--svg <file>", "write a chart; of several units one each: curve.svg becomes curve-1.svg, curve-2.svg, ...")
    .addOption(shapeOption)
    .addOption(untieOption)
    .addOption(kindsOption)
    .addOption(fixOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(jsonSchemaOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      "\nExample:\n  $ shrinknet gain digits.onnx --data calib.npz --unit fc1:3 --to 4 --svg curve.svg",
    )
    .action(async (path, options) => {
      const { from, to, step, shape: shapes, threads, quiet } = options;
      const gains = gainsBetween(from, to, step);
      const charts = options.svg === undefined ? [] : chartPaths(options.svg, options.unit.length);
      await checkOutputs(
        {
          "--csv": options.csv,
          ...Object.fromEntries(charts.map((chart, at) => [at === 0 ? "--svg" : `--svg (${at + 1})`, chart])),
        },
        { "the model": path, "--data": options.data },
      );
      const { model } = await loadModel(path, shapes);
      const data = await readData(io, options.data, options, model.graph.feeds);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const summary = await withProgress(io, { title: `Measuring ${path}`, quiet }, (tell) =>
        naming({ model: path }, async (): Promise<GainSummary> => {
          const runner = nodeRunner({ threads });
          const { prepared, samples } = await openModel(model, {
            runner,
            shapes,
            untie: options.untie,
            kinds: options.kinds,
            fix: options.fix,
            data,
          });
          const units = options.unit.map((unit) => parseUnit(unit, prepared.units));
          const measured = { objective: await objectivesFrom(options.objective), outputs: options.output };
          const evaluator = await createEvaluator(prepared, runner, samples ?? data, measured);
          const onProgress = (done: number, of: number): void => tell(`${done} of ${of} gains`, done / of);
          return {
            model: path,
            objective: evaluator.objective,
            curves: await gainCurves(evaluator, { units, gains, onProgress }),
          };
        }),
      );
      const files: OutputFile[] = [];
      if (options.csv !== undefined) files.push({ path: options.csv, content: gainCsv(summary) });
      if (charts.length > 0) {
        const { gainChart } = await import("@shrinknet/report");
        summary.curves.forEach((curve, at) => {
          files.push({ path: charts[at] as string, content: gainChart(curve) });
        });
      }
      await writeFiles(files);
      if (options.json) return printJson(io, summary);
      const names = files.map((file) => file.path);
      io.stdout.write(gainText(summary, names, colorsOf(io)));
    });
}

const MOST_GAINS = 100_000;

/** From, from + step, ... up to and including `to`, without the rounding errors of repeated addition. */
function gainsBetween(from: number, to: number, step: number): number[] {
  if (!(step > 0)) throw new ShrinkError("option", `--step ${step}: expected a number above 0`);
  if (to < from) throw new ShrinkError("option", `--to ${to}: is below --from ${from}, expected at least as much`);
  const count = Math.floor((to - from) / step + 1e-9) + 1;
  if (count > MOST_GAINS)
    throw new ShrinkError("option", `--step ${step}: makes ${count} gains, expected at most ${MOST_GAINS}`);
  return Array.from({ length: count }, (_, i) => Number((from + i * step).toPrecision(12)));
}

function chartPaths(path: string, count: number): string[] {
  if (count === 1) return [path];
  return Array.from({ length: count }, (_, at) => path.replace(/(\.[^./\\]*)?$/, `-${at + 1}$1`));
}
