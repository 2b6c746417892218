/** How data are read: options that every command with data takes. */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { Dataset, ValueInfo } from "@shrinknet/core";
import { loadData } from "@shrinknet/data/node";
import type { Io } from "../io.ts";
import { type ByOutput, parseByOutput } from "./outputs.ts";
import { parseCount, parseNumber } from "./quantities.ts";

export interface DataOptions {
  readonly labels?: ByOutput | undefined;
  readonly scale?: number | undefined;
  readonly layout?: "NCHW" | "NHWC" | undefined;
  readonly size?: readonly [number, number] | undefined;
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  readonly preset?: "imagenet" | undefined;
  readonly samples?: number | undefined;
}

/** Adds the options of {@link DataOptions}. */
export function withDataOptions<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
): Command<Args, Opts & DataOptions> {
  const all = [
    new Option(
      "--labels <name>",
      "array that holds labels or targets, or OUTPUT=ARRAY (repeatable); default: y, y_OUTPUT, or labels",
    ).argParser((text: string, previous: ByOutput | undefined) => ({ ...previous, ...parseByOutput(text) })),
    new Option("--samples <n>", "a random part of the samples, with as many of each class as its share").argParser(
      parseCount,
    ),
    new Option(
      "--scale <factor>",
      "multiply all inputs, such as 0.00392157 for pixels 0..255 to 0..1; images of a folder are 0..1 without",
    ).argParser(parseNumber),
    new Option(
      "--mean <numbers>",
      "take this from all channels, or from each its own, such as 0.485,0.456,0.406",
    ).argParser(parseNumbers),
    new Option("--std <numbers>", "and divide by this, such as 0.229,0.224,0.225").argParser(parseNumbers),
    new Option("--layout <axes>", "how the images of arrays lie; turned where the model takes the other").choices([
      "NCHW",
      "NHWC",
    ]),
    new Option("--size <n>", "images of a folder: side, or HEIGHTxWIDTH; default: what the model takes").argParser(
      parseSize,
    ),
    new Option("--preset <name>", "images of a folder: crop, mean and deviation as usual for ImageNet").choices([
      "imagenet",
    ]),
  ];
  for (const option of all) command.addOption((option as Option).helpGroup("Reading data:"));
  return command as unknown as Command<Args, Opts & DataOptions>;
}

/** Reads a data file or folder for a model, and tells what was guessed. Undefined where no path is given. */
export async function readData<Path extends string | undefined>(
  io: Io,
  path: Path,
  { size, preset, ...options }: DataOptions & { readonly seed?: number },
  feeds: readonly ValueInfo[],
): Promise<Dataset | (Path extends string ? never : undefined)> {
  if (path === undefined) return undefined as never;
  const { labels, scale, layout, mean, std, samples, seed } = options;
  const data = await loadData(path, {
    ...{ labels, scale, layout, mean, std, samples, seed, images: { size, preset } },
    shape: feeds[0]?.shape,
  });
  for (const note of data.notes ?? []) io.stderr.write(`${note}\n`);
  return data;
}

/** `224` or `48x192`. */
function parseSize(text: string): readonly [number, number] {
  const [, height, width] = /^(\d+)(?:x(\d+))?$/i.exec(text.trim()) ?? [];
  const size = [Number(height), Number(width ?? height)] as const;
  if (!height || size.some((side) => side < 1))
    throw new InvalidArgumentError("expected a side such as 224, or HEIGHTxWIDTH such as 48x192.");
  return size;
}

/** `0.5` or `0.485,0.456,0.406`. */
function parseNumbers(text: string): readonly number[] {
  return text.split(",").map((one) => parseNumber(one.trim()));
}
