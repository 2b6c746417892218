import type { Verification } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { formatNumber } from "./format.ts";

/** What verification found: `verified: largest difference 2e-7, rounding explains 4e-6`. */
export function verifiedText({ difference, allowance, isInDoubt }: Verification, colors: Colors): string {
  const found = `largest difference ${formatNumber(difference)}, rounding explains up to ${formatNumber(allowance)}`;
  return isInDoubt ? `${colors.red("not verified")}: ${found}` : `${colors.green("verified")}: ${found}`;
}
