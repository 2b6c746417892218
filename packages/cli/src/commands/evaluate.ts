/** `shrinknet evaluate`: the error and accuracy of a model on data. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { prepare, qualityOf, sizeAfter, subjectOf, withDataShapes } from "shrinknet";
import { loadData } from "../data/load-data.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type Io, printJson } from "../io.ts";
import { dataHelp, jsonOption, objectiveOption, scaleOption, shapeOption, threadsOption } from "../options/shared.ts";
import { colorsOf } from "../text/colors.ts";
import { formatCount, formatNumber, formatShare, plural } from "../text/format.ts";

export function evaluateCommand(io: Io): CommandUnknownOpts {
  return new Command("evaluate")
    .description("Measures the error and accuracy of a model on data.")
    .argument("<model>", "ONNX file")
    .requiredOption("--data <file>", dataHelp.replace("calibration samples", "samples"))
    .addOption(objectiveOption)
    .addOption(scaleOption)
    .addOption(shapeOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet evaluate small.onnx --data test.npz")
    .action(async (path, { data: dataPath, objective, scale, shape: shapes, threads, json }) => {
      const { bytes, model } = await loadModel(path, shapes);
      const data = await loadData(dataPath, { scale });
      const { nodeRunner } = await import("@shrinknet/runtime");
      const runner = nodeRunner({ threads });
      const { subject, quality, size } = await naming({ model: path }, async () => {
        const prunable = await prepare(model, runner, withDataShapes(model.graph, { shapes, data }));
        const subject = await subjectOf(prunable, runner, data, objective);
        return {
          subject,
          quality: await qualityOf(subject),
          size: sizeAfter(prunable, new Uint8Array(prunable.units.count)),
        };
      });
      const samples = subject.data.size;
      const result = {
        model: path,
        data: dataPath,
        samples,
        objective: subject.objective.name,
        ...quality,
        ...size,
        bytes: bytes.byteLength,
        runner: runner.name,
      };
      if (json) return printJson(io, result);
      const { error, accuracy, parameters, macs, objective: name } = result;
      const match = name === "match" ? ", distance from its own outputs" : "";
      io.stdout.write(
        `${colorsOf(io).bold(path)} on ${plural(samples, "sample")} of ${dataPath}\n` +
          `error       ${formatNumber(error)} (${name}${match})\n` +
          (accuracy === undefined ? "" : `accuracy    ${formatShare(accuracy, 2)}\n`) +
          `parameters  ${formatCount(parameters)}\nMACs        ${formatCount(macs)} per sample\n` +
          `file size   ${formatCount(bytes.byteLength)} bytes\n`,
      );
    });
}
