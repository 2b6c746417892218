/** What a latency model has learnt, as JSON that can be kept, read, and used for another machine. */
import { z } from "zod";
import { ShrinkError } from "../errors.ts";

/** Enough to predict the same again without a measurement. */
export interface LatencyTable {
  readonly format: "shrinknet-latency";
  readonly version: 1;
  /** Of the file that was measured; see `modelHash`. */
  readonly modelHash: string;
  /** Name of the runner, threads included. */
  readonly runtime: string;
  /** Milliseconds of one run of the whole network. */
  readonly milliseconds: number;
  /** Kept widths that count: of a group, or of two neighbours, by their ids. */
  readonly terms: readonly (readonly string[])[];
  /** By term: how far the time over that of the network departs from its share of the multiply-accumulates. */
  readonly coefficients: readonly number[];
  /** Typical error of predictions for variants that nothing was learnt from, as a share. */
  readonly error: number;
}

export const latencyTableSchema: z.ZodType<LatencyTable> = z.object({
  format: z.literal("shrinknet-latency"),
  version: z.literal(1),
  modelHash: z.string(),
  runtime: z.string(),
  milliseconds: z.number().positive(),
  terms: z.array(z.array(z.string())),
  coefficients: z.array(z.number()),
  error: z.number().nonnegative(),
});

/** Reads a table's JSON. Throws an `option` error that says where it is wrong. */
export function parseLatencyTable(text: string): LatencyTable {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ShrinkError("option", "latency table: not JSON, expected the file that shrinknet latency wrote", {
      cause,
    });
  }
  const result = latencyTableSchema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "the top level";
  throw new ShrinkError(
    "option",
    `latency table: ${where}: ${(issue?.message ?? "unexpected form").replace("received undefined", "but it is missing")}; expected the file that shrinknet latency wrote`,
  );
}
