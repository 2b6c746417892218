/** `shrinknet studio`: a page on this machine that shows how a network shrinks. */
import { basename } from "node:path";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ShrinkError } from "@shrinknet/core";
import { loadModel } from "../files/load-model.ts";
import type { Io } from "../io.ts";
import { readData, withDataOptions } from "../options/data.ts";
import { parseWhole } from "../options/quantities.ts";

export function studioCommand(io: Io): CommandUnknownOpts {
  return withDataOptions(new Command("studio"))
    .description(
      "Opens a page that shows what a network is made of and lets it shrink. It is served on 127.0.0.1 alone, and computes on this " +
        "machine: with onnxruntime in Node, or in the browser where the address ends before the question mark.",
    )
    .argument("[model]", "ONNX file; default: the page asks for one")
    .option("--data <file>", "samples, as for prune")
    .option("--port <n>", "default: a free one", parseWhole)
    .option("--no-open", "print the address, and open no browser")
    .addHelpText("after", "\nExample:\n  $ shrinknet studio digits.onnx --data calib.npz")
    .action(async (path, { data: dataPath, port, open: opens, ...how }) => {
      if (dataPath !== undefined && path === undefined) {
        throw new ShrinkError("option", "--data: belongs to a model, expected the model's file before it");
      }
      const { serveStudio } = await loadStudio();
      const { bytes, model } = path === undefined ? { bytes: undefined, model: undefined } : await loadModel(path, {});
      const data = await readData(io, dataPath, how, model?.graph.feeds ?? []);
      const given = path !== undefined && bytes ? { name: basename(path), bytes } : undefined;
      const studio = await serveStudio({ model: given, data, port });
      io.stdout.write(`${studio.url}\npress Ctrl-C to end\n`);
      if (opens) await openBrowser(studio.url);
      await new Promise<void>((resolve) => io.onInterrupt(resolve));
      await studio.close();
    });
}

/** The page is a package of its own: it brings onnxruntime for the browser. */
async function loadStudio(): Promise<typeof import("@shrinknet/studio")> {
  return await import("@shrinknet/studio").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new ShrinkError(
      "option",
      "studio: is not installed, expected the package @shrinknet/studio; run npm install @shrinknet/studio",
    );
  });
}

/** Where there is no browser the address has been printed. */
async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import("open");
  const started = await open(url).catch(() => undefined);
  started?.on("error", () => {});
}
