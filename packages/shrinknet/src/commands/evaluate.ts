/** `shrinknet evaluate`: the error and accuracy of a model on data. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { evaluate } from "@shrinknet/core";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type Io, printJson } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { objectivesFrom } from "../options/own.ts";
import {
  dataHelp,
  fixOption,
  jsonOption,
  jsonSchemaOption,
  objectiveOption,
  outputOption,
  shapeOption,
  threadsOption,
} from "../options/shared.ts";
import { colorsOf } from "../text/colors.ts";
import { evaluateText } from "../text/evaluate.ts";

export function evaluateCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("evaluate"))
    .description("Measures the error and accuracy of a model on data, alone or against another model.")
    .argument("<model>", "ONNX file")
    .requiredOption("--data <file>", dataHelp.replace("calibration samples", "samples"))
    .option("--against <model>", "compare with the outputs of this model, such as the original of a pruned one")
    .addOption(objectiveOption)
    .addOption(outputOption)
    .addOption(shapeOption)
    .addOption(fixOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(jsonSchemaOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet evaluate small.onnx --against digits.onnx --data test.npz")
    .action(async (path, options) => {
      const { shape: shapes, threads, json, against } = options;
      const { bytes, model } = await loadModel(path, shapes);
      const other = against === undefined ? undefined : (await loadModel(against, shapes)).bytes;
      const data = await readData(io, options.data, options, model.graph.feeds);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const names = { model: path, data: options.data, ...(against !== undefined && { against }) };
      const summary = await naming({ model: path }, async () =>
        evaluate(bytes, {
          runner: nodeRunner({ threads }),
          data,
          objective: await objectivesFrom(options.objective),
          outputs: options.output,
          shapes,
          fix: options.fix,
          against: other,
          names,
        }),
      );
      if (json) return printJson(io, summary);
      io.stdout.write(evaluateText(summary, colorsOf(io)));
    });
}
