/** Options that several commands take. */
import { availableParallelism } from "node:os";
import { Option } from "@commander-js/extra-typings";
import type { FixedInputs, UnitKind } from "@shrinknet/core";
import { parseFix } from "./fix.ts";
import { kindNames, parseKinds } from "./kinds.ts";
import { type ByOutput, parseObjective } from "./outputs.ts";
import { parseThreads, parseWhole } from "./quantities.ts";
import { type InputShapes, parseShape } from "./shapes.ts";

type Parsed<Usage extends string, Value> = Option<Usage, undefined, undefined, Value>;
type Defaulted<Usage extends string, Value> = Option<Usage, undefined, Value, Value>;
export const dataHelp = "calibration samples: .npz, .npy, .csv, IDX files as IMAGES,LABELS, or a folder of images";

export const objectiveOption: Parsed<"--objective <name>", ByOutput | string> = new Option(
  "--objective <name>",
  "the error to measure: sse, cross-entropy or match, for all outputs or as OUTPUT=NAME (repeatable); default: what fits the data and the model, in prune match where consumers are refitted",
).argParser((text: string, previous: ByOutput | string | undefined) => parseObjective(text, previous));

export const outputOption: Option<"--output <name...>"> = new Option(
  "--output <name...>",
  "measure only these outputs of the model; default: all",
);

export const shapeOption: Parsed<"--shape <name=dims>", InputShapes> = new Option(
  "--shape <name=dims>",
  "dims of an input that the file leaves free, such as x=1x3x224x224; repeatable",
).argParser(parseShape);

export const untieOption: Option<"--untie"> = new Option(
  "--untie",
  "cut layers that share weights each by itself; the weights are copied where cuts differ",
);

export const kindsOption: Parsed<"--kinds <names>", readonly UnitKind[]> = new Option(
  "--kinds <names>",
  `kinds of units that may go, separated by commas: ${[...kindNames.keys()].join(", ")} or all; default: all but widths and blocks. Without heads, dimensions of heads go; with blocks, branches of residual networks whole`,
).argParser(parseKinds);

export const fixOption: Parsed<"--fix <name=value>", FixedInputs> = new Option(
  "--fix <name=value>",
  "make an input a constant before anything else, such as sr=16000, or its shape the only one, such as input=1x512: branches that they decide are gone; repeatable",
).argParser(parseFix);

export const threadsOption: Defaulted<"--threads <n>", number> = new Option(
  "--threads <n>",
  "threads of onnxruntime; results do not depend on it",
)
  .argParser(parseThreads)
  .default(availableParallelism());

export const seedOption: Defaulted<"--seed <n>", number> = new Option("--seed <n>", "seed of random choices")
  .argParser(parseWhole)
  .default(0);

export const onlyOption: Option<"--only <glob...>"> = new Option(
  "--only <glob...>",
  "touch only groups or layers of these names; * stands for anything",
);

export const skipOption: Option<"--skip <glob...>"> = new Option(
  "--skip <glob...>",
  "leave groups or layers of these names alone",
);

export const minKeepOption: Parsed<"--min-keep <n>", number> = new Option(
  "--min-keep <n>",
  "units that stay in every group (default: 1; 0 empties layers of neurons only)",
).argParser(parseWhole);

export const jsonOption: Option<"--json"> = new Option("--json", "print one JSON object in place of text");

/** Answered before a command is parsed: see `run.ts`. */
export const jsonSchemaOption: Option<"--json-schema"> = new Option(
  "--json-schema",
  "print the JSON Schema of what --json prints, and do nothing else",
);

export const quietOption: Option<"--quiet"> = new Option("--quiet", "show no progress");
