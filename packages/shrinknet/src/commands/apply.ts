/** `shrinknet apply`: replays a plan on the model that it was made for. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { applyPlan, inspect, parsePlan } from "@shrinknet/core";
import { checkKeepsWeights, checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { readInput } from "../files/read-input.ts";
import { nameOf, throwIfInDoubt } from "../files/unverified.ts";
import { writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { dataHelp, jsonOption, jsonSchemaOption, shapeOption, threadsOption } from "../options/shared.ts";
import { withProgress } from "../progress/progress.ts";
import { beforeAfter } from "../text/before-after.ts";
import { colorsOf } from "../text/colors.ts";
import { formatCount, plural } from "../text/format.ts";
import { assumedText } from "../text/inspect.ts";
import { verifiedText } from "../text/verified.ts";

export function applyCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("apply"))
    .description(
      "Removes the units of a plan that prune has written, and writes the smaller model once it is verified.",
    )
    .argument("<model>", "the ONNX file that was pruned; never changed")
    .argument("<plan>", "JSON file that prune --plan has written")
    .requiredOption("--out <file>", "the smaller ONNX file")
    .option("--data <file>", `${dataHelp}; the calibration data of prune, for plans with compensation`)
    .addOption(shapeOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(jsonSchemaOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet apply digits.onnx plan.json --out small.onnx")
    .action(async (path, planPath, options) => {
      const { out, data: dataPath, shape: shapes, threads, json } = options;
      await checkOutputs({ "--out": out }, { "the model": path, "the plan": planPath, "--data": dataPath });
      const { bytes: original, model, dataFiles } = await loadModel(path, shapes);
      await checkKeepsWeights({ "--out": out }, dataFiles);
      const planBytes = await readInput(planPath, "the file that prune --plan wrote");
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const seed = seedIn(planBytes);
      const data = await readData(io, dataPath, { ...options, ...(seed !== undefined && { seed }) }, model.graph.feeds);
      const probe = { runner: nodeRunner({ threads }), shapes };
      const sizeOf = async (file: Uint8Array) => {
        const { units, parameters, macs, assumed } = await inspect(file, { ...probe, data });
        return { units, parameters, macs, bytes: file.byteLength, assumed };
      };
      const progress = { title: `Applying ${planPath}`, quiet: !io.terminal };
      const { bytes, verification, before, after, assumed } = await withProgress(io, progress, (tell) =>
        naming({ model: path, plan: planPath }, async () => {
          const plan = parsePlan(new TextDecoder().decode(planBytes));
          tell(plan.compensation === "none" ? "cutting" : "cutting, and fitting what reads the removed units");
          const applied = await applyPlan(original, plan, { ...probe, data });
          const { assumed, ...was } = await sizeOf(original);
          const { assumed: _, ...is } = await sizeOf(applied.bytes);
          return { ...applied, before: was, after: is, assumed };
        }),
      );
      io.stderr.write(assumedText(assumed));
      const written = nameOf(out, verification);
      await writeFiles([{ path: written, content: bytes }]);
      const { difference: verified, allowance } = verification;
      const result = { model: path, plan: planPath, out: written, before, after, verified, allowance };
      if (json) {
        printJson(io, result);
        return throwIfInDoubt(verification, written);
      }
      const colors = colorsOf(io);
      const removed = `removed ${formatCount(before.units - after.units)} of ${plural(before.units, "unit")}`;
      io.stdout.write(
        `${colors.bold(path)}: ${removed} as ${planPath} says\n\n${beforeAfter(before, after, colors)}\n` +
          `${verifiedText(verification, colors)}\nwrote ${written}\n`,
      );
      throwIfInDoubt(verification, written);
    });
}

/** The seed of a plan, which also draws its samples; undefined where the file is no plan: that is told when it is read. */
function seedIn(bytes: Uint8Array): number | undefined {
  try {
    return parsePlan(new TextDecoder().decode(bytes)).seed;
  } catch {
    return undefined;
  }
}
