/** Values for all outputs of a model, or for one: `NAME` or `OUTPUT=NAME`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { objectives } from "@shrinknet/core";
import { parseNameOrModule } from "./own.ts";

/** By output name; "" for the first output that fits. */
export type ByOutput = Readonly<Record<string, string>>;

/** One `NAME` or `OUTPUT=NAME`. */
export function parseByOutput(text: string): ByOutput {
  const at = text.lastIndexOf("=");
  const [output, name] = at < 0 ? ["", text.trim()] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (name === "" || (at >= 0 && output === "")) throw new InvalidArgumentError("expected a NAME, or OUTPUT=NAME");
  return { [output]: name };
}

/** An objective for all outputs, or for those that are named. */
export function parseObjective(text: string, previous: ByOutput | string | undefined): ByOutput | string {
  const [[output, name]] = Object.entries(parseByOutput(text)) as [[string, string]];
  parseNameOrModule(name, Object.keys(objectives));
  if (output === "") return name;
  return { ...(typeof previous === "object" && previous), [output]: name };
}
