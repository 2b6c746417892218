/** The commands, as a table, and the parser made of it. A command's file is loaded only when it is asked for. */
import { readFileSync } from "node:fs";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Io } from "./io.ts";

/** Builds a command that works in the given world. */
export type CommandFactory = (io: Io) => CommandUnknownOpts;

interface Entry {
  readonly summary: string;
  load(): Promise<CommandFactory>;
}

const commands: Readonly<Record<string, Entry>> = {
  inspect: {
    summary: "show what can be removed from a model, and what cannot and why",
    load: async () => (await import("./commands/inspect.ts")).inspectCommand,
  },
  evaluate: {
    summary: "measure the error and accuracy of a model on data",
    load: async () => (await import("./commands/evaluate.ts")).evaluateCommand,
  },
  prune: {
    summary: "make a model smaller by removing the units that matter least",
    load: async () => (await import("./commands/prune.ts")).pruneCommand,
  },
  compare: {
    summary: "run several criteria side by side; writes no model",
    load: async () => (await import("./commands/compare.ts")).compareCommand,
  },
  analyze: {
    summary: "measure why estimates of a unit's worth fail on a model",
    load: async () => (await import("./commands/analyze.ts")).analyzeCommand,
  },
  gain: {
    summary: "measure the error as the output of single units is scaled",
    load: async () => (await import("./commands/gain.ts")).gainCommand,
  },
  latency: {
    summary: "measure how long cut variants of a model take on this machine",
    load: async () => (await import("./commands/latency.ts")).latencyCommand,
  },
  apply: {
    summary: "replay a plan that prune has written",
    load: async () => (await import("./commands/apply.ts")).applyCommand,
  },
  studio: {
    summary: "open a page that shows how a network shrinks",
    load: async () => (await import("./commands/studio.ts")).studioCommand,
  },
  paper: {
    summary: "reproduce the experiments of the paper",
    load: async () => (await import("./commands/paper.ts")).paperCommand,
  },
};

/** A parser for `argv` that throws CommanderErrors in place of ending the process. */
export async function createProgram(argv: readonly string[], io: Io): Promise<CommandUnknownOpts> {
  const program = new Command("shrinknet")
    .description("Makes trained ONNX networks smaller by removing whole neurons, channels and heads.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(usageError(text, argv)),
    })
    .addHelpText(
      "after",
      "\nExample:\n  $ shrinknet prune digits.onnx --data calib.npz --max-accuracy-drop 1% --out small.onnx",
    );
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = argv.includes(name) ? (await load())(io) : new Command(name);
    program.addCommand(command.summary(summary).copyInheritedSettings(program));
  }
  return program;
}

/** Commander's message in our form: one sentence, and where to read more. */
function usageError(text: string, argv: readonly string[]): string {
  const [message = "", suggestion = ""] = text.trim().split("\n");
  const told = message
    .replace(/^error: /, "")
    .replace(/^option '(-[-\w]+).*?' argument '(.*)' is invalid\. /s, "$1 $2: ")
    .replace("Allowed choices are", "expected one of")
    .replace(/\.$/, "");
  const [name = ""] = argv;
  const greedy = message.includes("missing required argument") && argv.find((arg) => variadic.has(arg));
  const hint = greedy
    ? `; ${greedy} takes all names after it, so give the model first`
    : suggestion && ` ${suggestion}`;
  const command = Object.hasOwn(commands, name) ? `shrinknet ${name}` : "shrinknet";
  return `shrinknet: ${told}${hint}\nSee ${command} --help\n`;
}

const variadic = new Set(["--only", "--skip", "--unit"]);

function version(): string {
  const file = new URL("../package.json", import.meta.url); // beside src and dist alike
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
