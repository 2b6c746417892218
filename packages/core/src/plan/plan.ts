/** The plan: what was decided, as JSON that can be kept, read, and replayed on the original file. */
import { z } from "zod";
import { ShrinkError } from "../errors.ts";
import { type LatencyTable, latencyTableSchema } from "../latency/table.ts";
import type { FixedInputs } from "../specialise.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { UNIT_KINDS, type UnitKind, type Units } from "../units/units.ts";

/** A removal decision. */
export interface Plan {
  readonly format: "shrinknet-plan";
  readonly version: 1;
  /** Of the original file's bytes; see {@link modelHash}. */
  readonly modelHash: string;
  readonly criterion: string;
  readonly schedule: string;
  readonly objective: string;
  /** The objective of each output that was measured, where the model has more outputs than one; else left out. */
  readonly outputs?: Readonly<Record<string, string>> | undefined;
  readonly compensation: string;
  readonly seed: number;
  /** Whether units changed places after the loop; left out where not. */
  readonly polished?: boolean | undefined;
  /** Share of the samples that was held out of choices and repair; only with compensation. */
  readonly holdOut?: number | undefined;
  /** False where statistics of normalisations stay as they are; else left out. Only with compensation. */
  readonly recalibrate?: boolean | undefined;
  /** 0 where groups were allowed to lose all their units; else left out. */
  readonly minKeep?: number | undefined;
  /** True where layers that share weights were cut each by itself; else left out. */
  readonly untie?: boolean | undefined;
  /** Kinds of units that could go; left out where not asked for. */
  readonly kinds?: readonly UnitKind[] | undefined;
  /** Inputs that became constants; left out where none did. */
  readonly fix?: FixedInputs | undefined;
  /** What the run took the latency of cut networks for; only with a goal of latency. */
  readonly latencyTable?: LatencyTable | undefined;
  /** Removed units by group id, ascending. */
  readonly removed: Readonly<Record<string, readonly number[]>>;
}

const planSchema: z.ZodType<Plan> = z.object({
  format: z.literal("shrinknet-plan"),
  version: z.literal(1),
  modelHash: z.string(),
  criterion: z.string(),
  schedule: z.string(),
  objective: z.string(),
  outputs: z.record(z.string(), z.string()).optional(),
  compensation: z.string(),
  seed: z.number(),
  polished: z.boolean().optional(),
  holdOut: z.number().gt(0).lt(1).optional(),
  recalibrate: z.boolean().optional(),
  minKeep: z.literal(0).optional(),
  untie: z.boolean().optional(),
  kinds: z.array(z.enum(UNIT_KINDS)).optional(),
  fix: z.record(z.string(), z.union([z.array(z.number()), z.object({ dims: z.array(z.number()) })])).optional(),
  latencyTable: latencyTableSchema.optional(),
  removed: z.record(z.string(), z.array(z.number().int().nonnegative())),
});

/** The removed units of a run as a plan's `removed`. */
export function removedByGroup(units: Units, removed: RemovedUnits): Record<string, number[]> {
  const byGroup: Record<string, number[]> = {};
  for (const group of units.groups) {
    const gone: number[] = [];
    for (let index = 0; index < group.size; index++) if (removed[group.first + index]) gone.push(index);
    if (gone.length > 0) byGroup[group.id] = gone;
  }
  return byGroup;
}

/** Reads a plan's JSON. Throws a `plan` error that says where it is wrong. */
export function parsePlan(text: string): Plan {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ShrinkError("plan", "plan: not JSON, expected the file that prune --plan wrote", { cause });
  }
  const result = planSchema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") || "the top level";
  throw new ShrinkError(
    "plan",
    `plan: ${where}: ${(issue?.message ?? "unexpected form").replace("received undefined", "but it is missing")}; expected the file that prune --plan wrote`,
  );
}

/** The units that a plan removes. Throws a `plan` error where groups or units do not exist in this model. */
export function unitsOfPlan(plan: Plan, units: Units): RemovedUnits {
  const removed = new Uint8Array(units.count);
  for (const [id, indexes] of Object.entries(plan.removed)) {
    const group = units.groups.find((candidate) => candidate.id === id);
    if (!group) {
      const known = units.groups.map((candidate) => candidate.id).join(", ");
      throw new ShrinkError("plan", `plan: group "${id}" is not in this model, expected one of ${known || "none"}`);
    }
    for (const index of indexes) {
      if (index >= group.size) {
        throw new ShrinkError("plan", `plan: group "${id}" has no unit ${index}, expected 0 to ${group.size - 1}`);
      }
      removed[group.first + index] = 1;
    }
    if (plan.minKeep !== 0 && !plan.kinds?.includes("block") && new Set(indexes).size >= group.size) {
      throw new ShrinkError(
        "plan",
        `plan: removes all ${group.size} units of group "${id}", expected at least one to stay`,
      );
    }
  }
  return removed;
}

/** A 64-bit hash (FNV-1a) of a file's bytes in hex: tells whether a plan belongs to a file. */
export function modelHash(bytes: Uint8Array): string {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (let i = 0; i < bytes.length; i++) {
    low ^= bytes[i] as number;
    // multiply by the prime 2^40 + 0x1b3 modulo 2^64, in pieces that stay whole 32-bit numbers
    const first = (low & 0xffff) * 0x1b3;
    const second = (low >>> 16) * 0x1b3 + (first >>> 16);
    high = (Math.imul(high, 0x1b3) + (second >>> 16) + (low << 8)) | 0;
    low = (second << 16) | (first & 0xffff);
  }
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return hex(high) + hex(low);
}
