/** `shrinknet latency`: measures how long cut variants of a model take, to prune for this machine elsewhere. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { measureLatency } from "@shrinknet/core";
import { checkOutputs } from "../files/check-outputs.ts";
import { loadModel } from "../files/load-model.ts";
import { naming } from "../files/naming.ts";
import { writeFiles } from "../files/write-files.ts";
import { type Io, printJson } from "../io.ts";
import { channelBlockOf } from "../library/block-cache.ts";
import { readData } from "../options/data.ts";
import { parseAlign } from "../options/quantities.ts";
import { fixOption, jsonOption, kindsOption, shapeOption, threadsOption, untieOption } from "../options/shared.ts";
import { formatCount, formatNumber, formatShare } from "../text/format.ts";

export function latencyCommand(io: Io): CommandUnknownOpts {
  return new Command("latency")
    .description(
      "Measures for some seconds how long cut variants of a model take on this machine. prune --latency-table goes by that, here or elsewhere.",
    )
    .argument("<model>", "ONNX file")
    .requiredOption("--out <file>", "the table, JSON")
    .option("--data <file>", "samples; the first one is run")
    .option(
      "--align <n>",
      "widths are multiples of this; default: the block that this runtime is fast with",
      parseAlign,
    )
    .addOption(shapeOption)
    .addOption(untieOption)
    .addOption(kindsOption)
    .addOption(fixOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet latency keywords.onnx --out here.json")
    .action(async (path, { out, data: dataPath, align, shape: shapes, untie, kinds, fix, threads, json }) => {
      await checkOutputs({ "--out": out }, { "the model": path, "--data": dataPath });
      const { bytes, model } = await loadModel(path, shapes);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const runner = nodeRunner({ threads });
      const data = await readData(io, dataPath, {}, model.graph.feeds);
      const widths = align === undefined ? { block: await channelBlockOf(runner) } : { align };
      const clock = (): number => performance.now();
      const options = { runner, clock, data, shapes, untie, kinds, fix, ...widths };
      const table = await naming({ model: path }, () => measureLatency(bytes, options));
      await writeFiles([{ path: out, content: `${JSON.stringify(table, null, 2)}\n` }]);
      if (json) return printJson(io, table);
      io.stdout.write(
        `${path}: a run takes ${formatNumber(table.milliseconds)} ms (${table.runtime}); ` +
          `cut variants are predicted to ${formatShare(table.error)} by ${formatCount(table.terms.length)} widths\nwrote ${out}\n`,
      );
    });
}
