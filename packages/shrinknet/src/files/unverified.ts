/** Files whose verification is in doubt: kept, under a name that says so. */
import { ShrinkError, type Verification } from "@shrinknet/core";

/** The path itself; of a file in doubt `small.unverified.onnx`. */
export function nameOf(path: string, { isInDoubt }: Pick<Verification, "isInDoubt">): string {
  return isInDoubt ? path.replace(/(\.[^./\\]*)?$/, ".unverified$1") : path;
}

/** Throws a `verification` error for a file in doubt, which is written under its other name by then. */
export function throwIfInDoubt({ isInDoubt, difference, allowance }: Verification, path: string): void {
  if (!isInDoubt) return;
  throw new ShrinkError(
    "verification",
    `the smaller model differs from the original without its units by ${difference.toExponential(1)} of the largest value, ` +
      `rounding explains ${allowance.toExponential(1)}: it may still be rounding, so the file was kept as ${path}; hold it to ` +
      "the original with shrinknet evaluate --against before using it",
  );
}
