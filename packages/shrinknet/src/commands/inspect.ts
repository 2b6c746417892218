/** `shrinknet inspect`: what can be removed from a model, and what cannot and why. */
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { inspect } from "@shrinknet/core";
import { checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { readData } from "../options/data.ts";
import { fixOption, jsonOption, jsonSchemaOption, kindsOption, shapeOption, untieOption } from "../options/shared.ts";
import { colorsOf } from "../text/colors.ts";
import { assumedText, inspectText } from "../text/inspect.ts";

export function inspectCommand(io: Io): CommandUnknownOpts {
  return new Command("inspect")
    .description("Shows the groups of units that can be removed, sizes, and what is frozen and why.")
    .argument("<model>", "ONNX file")
    .option("--graph <file>", "draw the network as SVG: groups in colours, frozen places and why")
    .option("--latency", "which share of the time each layer takes")
    .option("--data <file>", "samples that say how long axes are that the file leaves open")
    .addOption(shapeOption)
    .addOption(untieOption)
    .addOption(kindsOption)
    .addOption(fixOption)
    .addOption(jsonOption)
    .addOption(jsonSchemaOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet inspect digits.onnx --graph digits.svg")
    .action(async (path, { shape: shapes, untie, kinds, fix, json, graph, latency, data: dataPath }) => {
      await checkOutputs({ "--graph": graph }, { "the model": path, "--data": dataPath });
      const [{ model }, { nodeRunner }] = await Promise.all([
        loadModel(path, shapes),
        import("@shrinknet/runtime/node"),
      ]);
      const runner = nodeRunner({ threads: Math.min(4, availableParallelism()) }); // it only learns shapes
      const data = await readData(io, dataPath, {}, model.graph.feeds);
      const summary = await naming({ model: path }, () =>
        inspect(model, { runner, name: path, shapes, untie, kinds, fix, data, latency }),
      );
      io.stderr.write(assumedText(summary.assumed));
      if (graph !== undefined) {
        const { networkGraph } = await import("@shrinknet/report");
        await writeFiles([{ path: graph, content: networkGraph(summary.network, { title: basename(path) }) }]);
      }
      if (json) return printJson(io, summary);
      io.stdout.write(inspectText(summary, colorsOf(io)));
      if (graph !== undefined) io.stdout.write(`wrote ${graph}\n`);
    });
}
