import type { ModelState, Quality } from "@shrinknet/core";

/** One row of the before/after table. */
export interface Change {
  readonly name: string;
  /** How to write the values: whole numbers, measured values, or accuracies (0 to 1, difference in points). */
  readonly kind: "count" | "measure" | "accuracy";
  readonly before: number;
  readonly after: number;
  readonly difference: number;
  /** Difference as a share of `before`; left out for accuracies and where `before` is 0. */
  readonly relative?: number;
}

/** Size and quality before and after; rows that one of the states lacks (no accuracy, no test data) are left out. */
export function computeChanges(before: ModelState, after: ModelState): Change[] {
  const rows: (Change | undefined)[] = [
    change("removable units", "count", before.units, after.units),
    change("parameters", "count", before.parameters, after.parameters),
    change("MACs per sample", "count", before.macs, after.macs),
    change("file size (bytes)", "count", before.bytes, after.bytes),
    ...quality("calibration", before, after),
    ...quality("held out", before.heldOut, after.heldOut),
    ...quality("test", before.test, after.test),
  ];
  return rows.filter((row) => row !== undefined);
}

function quality(data: string, before?: Quality, after?: Quality): (Change | undefined)[] {
  return [
    change(`error (${data})`, "measure", before?.error, after?.error),
    change(`accuracy (${data})`, "accuracy", before?.accuracy, after?.accuracy),
  ];
}

function change(name: string, kind: Change["kind"], before?: number, after?: number): Change | undefined {
  if (before === undefined || after === undefined) return undefined;
  const difference = after - before;
  const relative = kind === "accuracy" || before === 0 ? {} : { relative: difference / Math.abs(before) };
  return { name, kind, before, after, difference, ...relative };
}
