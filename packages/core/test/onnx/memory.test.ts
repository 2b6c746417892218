import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const child = fileURLToPath(new URL("memory-child.ts", import.meta.url));

interface Report {
  /** Rise of the peak of resident memory in each step, in MB. */
  readonly steps: { readonly start: number; readonly read: number; readonly chunks: number; readonly write: number };
  readonly bytes: number;
}

// The limit for reading is 2.5 times the file in all, so 1.5 times beside the file itself; we need next to nothing.
test.each([
  ["raw data", 9],
  ["float data", 4],
])("a model with 100 MB of weights as %s is read and written without copies", (_, field) => {
  const out = execFileSync(process.execPath, ["--conditions=source", "--import", "tsx", child, String(field)]);
  const { steps, bytes } = JSON.parse(out.toString()) as Report;
  expect(bytes).toBeGreaterThan(100 * 2 ** 20);
  // Shows that the child measures anything: the file, and the one array that writeModel returns.
  expect(steps.start).toBeGreaterThan(100);
  expect(steps.write).toBeGreaterThan(60);
  expect(steps.read).toBeLessThan(40);
  expect(steps.chunks).toBeLessThan(40);
  expect(steps.write).toBeLessThan(140);
});
