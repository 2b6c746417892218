/** `shrinknet inspect`: what can be removed from a model, and what cannot and why. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { inspect } from "shrinknet";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { type Io, printJson } from "../io.ts";
import { jsonOption, shapeOption } from "../options/shared.ts";
import { colorsOf } from "../text/colors.ts";
import { inspectText } from "../text/inspect.ts";

export function inspectCommand(io: Io): CommandUnknownOpts {
  return new Command("inspect")
    .description("Shows the groups of units that can be removed, sizes, and what is frozen and why.")
    .argument("<model>", "ONNX file")
    .addOption(shapeOption)
    .addOption(jsonOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet inspect digits.onnx")
    .action(async (path, { shape: shapes, json }) => {
      const { bytes } = await loadModel(path, shapes);
      const { nodeRunner } = await import("@shrinknet/runtime");
      const summary = await naming({ model: path }, () => inspect(bytes, { runner: nodeRunner(), name: path, shapes }));
      if (json) printJson(io, summary);
      else io.stdout.write(inspectText(summary, colorsOf(io)));
    });
}
