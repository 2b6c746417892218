/** Inputs that become constants, `--fix sr=16000`, or have only one shape, `--fix input=1x512`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { FixedInputs } from "@shrinknet/core";

/** Adds one `NAME=NUMBER[,NUMBER...]` to those before it. */
export function parseFix(text: string, previous: FixedInputs = {}): FixedInputs {
  const [, name, list = ""] = /^([^=]+)=(.+)$/.exec(text.trim()) ?? [];
  if (name && /^\d+(x\d+)+$/i.test(list)) return { ...previous, [name]: { dims: list.split(/x/i).map(Number) } };
  const numbers = list.split(",").map((number) => (number.trim() === "" ? Number.NaN : Number(number)));
  if (!name || !numbers.every(Number.isFinite)) {
    throw new InvalidArgumentError(
      "expected NAME=NUMBER, or numbers separated by commas, such as sr=16000; or NAME=DIMS, such as input=1x512",
    );
  }
  return { ...previous, [name]: numbers };
}
