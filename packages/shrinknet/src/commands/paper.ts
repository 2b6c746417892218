/** `shrinknet paper`: the experiments of the paper that the project makes real. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ShrinkError } from "@shrinknet/core";
import { type Io, printJson } from "../io.ts";
import { parseWhole } from "../options/quantities.ts";
import { jsonOption, quietOption } from "../options/shared.ts";
import { withProgress } from "../progress/progress.ts";
import { colorsOf } from "../text/colors.ts";
import { paperListText, paperText } from "../text/paper.ts";

export function paperCommand(io: Io): CommandUnknownOpts {
  return new Command("paper")
    .description(
      "Reproduces the experiments of the paper (Wolfe et al. 2017): trains its networks, removes all their units by " +
        "three criteria, and sets every figure beside the published one.",
    )
    .argument("<experiments...>", "list, all, or names of experiments")
    .option("--out <folder>", "folder for CSV and SVG files and index.html")
    .option("--seeds <n>", "how many networks of each kind: seeds 1 to n", parseWhole, 1)
    .option("--fine", "gain curves in the paper's steps of 0.001 in place of 0.01")
    .option("--cache <folder>", "where trained networks are kept (default: the user's cache folder)")
    .addOption(jsonOption)
    .addOption(quietOption)
    .addHelpText("after", "\nExample:\n  $ shrinknet paper mnist-1layer cosine-big --seeds 3 --out paper-out")
    .action(async (names, options) => {
      const paper = await loadPaper();
      if (names.length === 1 && names[0] === "list") {
        if (options.json) printJson(io, { experiments: paper.experiments });
        else io.stdout.write(paperListText(paper, colorsOf(io)));
        return;
      }
      const experiments = paper.findExperiments(names);
      const { out, seeds, fine = false, cache, quiet } = options;
      if (out === undefined) throw new ShrinkError("option", "--out: is missing, expected a folder for the results");
      if (seeds < 1) throw new ShrinkError("option", `--seeds ${seeds}: expected at least 1`);
      const { nodeRunner } = await import("@shrinknet/runtime/node");
      const runner = nodeRunner({ threads: 1 }); // rounding differs with threads, and training carries that far
      const summary = await withProgress(io, { title: "Reproducing the paper", quiet }, (onProgress) =>
        paper.runPaper({ experiments, runner, out, seeds, fine, cache, onProgress }),
      );
      if (options.json) printJson(io, summary);
      else io.stdout.write(paperText(paper, summary, colorsOf(io)));
    });
}

/** The experiments are a package of their own, which most users do not need. */
async function loadPaper(): Promise<typeof import("@shrinknet/paper")> {
  try {
    return await import("@shrinknet/paper");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new ShrinkError("option", "paper: the experiments are not installed; run npm install @shrinknet/paper", {
      cause,
    });
  }
}
