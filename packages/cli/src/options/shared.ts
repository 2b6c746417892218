/** Options that several commands take. */
import { availableParallelism } from "node:os";
import { Option } from "@commander-js/extra-typings";
import { parseNumber, parseThreads, parseWhole } from "./quantities.ts";
import { type InputShapes, parseShape } from "./shapes.ts";

type Parsed<Usage extends string, Value> = Option<Usage, undefined, undefined, Value>;
type Defaulted<Usage extends string, Value> = Option<Usage, undefined, Value, Value>;
type Choice<Usage extends string, Name extends string> = Option<Usage, undefined, undefined, undefined, false, Name>;

export const dataHelp = "calibration samples: .npz, .npy, .csv, or IDX files as IMAGES,LABELS";

export const objectiveOption: Choice<"--objective <name>", "sse" | "cross-entropy" | "match"> = new Option(
  "--objective <name>",
  "the error to measure; default: what fits the data and the model",
).choices(["sse", "cross-entropy", "match"] as const);

export const scaleOption: Parsed<"--scale <factor>", number> = new Option(
  "--scale <factor>",
  "multiply all inputs, such as 0.00392157 for pixels 0..255 to 0..1",
).argParser(parseNumber);

export const shapeOption: Parsed<"--shape <name=dims>", InputShapes> = new Option(
  "--shape <name=dims>",
  "dims of an input that the file leaves free, such as x=1x3x224x224; repeatable",
).argParser(parseShape);

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

export const quietOption: Option<"--quiet"> = new Option("--quiet", "show no progress");
