/** What `--json` prints, by command: these names stay. More may be added to each object. */
import { UNIT_KINDS } from "@shrinknet/core";
import { z } from "zod";

const count = z.number().int().nonnegative();
const share = z.number().min(0).max(1);
const quality = z.object({
  error: z
    .number()
    .describe(
      "mean over samples, summed over outputs; of outputs held to the original's own, relative to their variance",
    ),
  accuracy: share.optional().describe("share of right answers; only with classes"),
});
const outputs = z.array(
  z.object({ name: z.string(), objective: z.string(), ...quality.shape, agreement: share.optional() }),
);
const size = z.object({ units: count, parameters: count, macs: count, bytes: count });

const state = z.object({
  ...size.shape,
  /** Null without data. */
  error: z.number().nullable(),
  accuracy: z.number().optional(),
  heldOut: quality.optional(),
  test: quality.optional(),
});

const removal = z.object({
  step: count,
  group: z.string(),
  unit: count,
  layer: z.string(),
  instead: count.optional(),
  score: z.number().describe("what the criterion said of the unit; lower = removed first"),
  error: z.number().nullable(),
  accuracy: z.number().optional(),
  parameters: count,
  macs: count,
});

const answers = z.object({
  drop: z.object({
    samples: count,
    drop: z.number(),
    low: z.number(),
    high: z.number(),
    confidence: z.number(),
    lost: count,
    won: count,
  }),
  classes: z.array(z.object({ class: count, samples: count, before: z.number(), after: z.number() })),
});

export const pruneJson = z.object({
  model: z.string(),
  out: z.string(),
  criterion: z.string().describe("what units were judged by"),
  schedule: z.enum(["once", "rerank"]),
  objective: z.string(),
  compensation: z.string(),
  seed: count,
  before: state,
  after: state,
  removed: z.array(removal).describe("one entry for each removal, in order"),
  evaluations: count.describe("how often the error without one unit was measured"),
  seconds: z.number().nonnegative(),
  verified: z
    .number()
    .nonnegative()
    .describe(
      "largest difference between the written file and the original without its units, as a share of the largest output",
    ),
  layers: z.array(z.object({ group: z.string(), layer: z.string(), kind: z.string(), before: count, after: count })),
  stopped: z.string().describe("why, in words"),
  heldOut: z.object({ samples: count, share: z.number(), usedFor: z.string() }).optional(),
  answers: z.object({ calibration: answers, heldOut: answers.optional(), test: answers.optional() }).optional(),
  latency: z
    .object({
      before: z.number().describe("milliseconds of one run, median"),
      after: z.number(),
      speedup: z.number(),
      interval: z.tuple([z.number(), z.number()]),
      runs: count,
      threads: count,
    })
    .optional(),
  polish: z
    .object({ trials: count, swaps: count, errorBefore: z.number(), errorAfter: z.number(), settled: z.boolean() })
    .optional(),
  compensationCurves: z
    .array(
      z.object({
        compensation: z.string(),
        points: z.array(z.object({ removed: count, ...quality.shape, test: quality.optional() })),
      }),
    )
    .optional(),
});

const port = z.object({
  name: z.string(),
  type: z.string(),
  shape: z.array(z.union([z.number(), z.string(), z.null()])),
});

export const inspectJson = z.object({
  inputs: z.array(port),
  outputs: z.array(port),
  opset: count,
  parameters: count,
  macs: count,
  units: count,
  groups: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(UNIT_KINDS),
      size: count,
      layer: z.string(),
      members: z.array(
        z.object({ initializer: z.string(), axis: count, offset: count.optional(), stride: count.optional() }),
      ),
    }),
  ),
  frozen: z.array(z.object({ value: z.string(), axis: count, size: count, reason: z.string() })),
  removable: z
    .object({ units: z.number(), parameters: z.number(), macs: z.number() })
    .describe("shares that depend on units that can be removed"),
  obstacles: z.array(z.object({ reason: z.string(), count, macs: z.number(), layers: z.array(z.string()) })),
  latency: z
    .object({
      milliseconds: z.number(),
      layers: z.array(
        z.object({ layer: z.string(), operator: z.string(), milliseconds: z.number(), share: z.number() }),
      ),
      other: z.object({ milliseconds: z.number(), share: z.number() }),
    })
    .optional(),
});

export const evaluateJson = z.object({
  model: z.string(),
  data: z.string(),
  against: z.string().optional(),
  samples: count,
  objective: z.string(),
  ...quality.shape,
  outputs,
  accuracyOfOther: share.optional(),
  isOneByOne: z.boolean(),
  parameters: count,
  macs: count,
  bytes: count,
  runner: z.string(),
});

export const compareJson = z.object({
  baseline: state,
  latency: z.number().positive().optional(),
  runs: z.array(
    z.object({
      criterion: z.string(),
      schedule: z.string(),
      compensation: z.string(),
      steps: z.array(
        z.object({
          removed: count,
          ...quality.shape,
          test: quality.optional(),
          group: z.string(),
          unit: count,
          layer: z.string(),
          predicted: z.number().nullable(),
          latency: z.number().positive().optional(),
        }),
      ),
      seconds: z.number(),
      evaluations: count,
    }),
  ),
});

export const gainJson = z.object({
  model: z.string(),
  objective: z.string(),
  curves: z.array(
    z.object({
      group: z.string(),
      unit: count,
      points: z.array(z.object({ gain: z.number(), error: z.number() })),
      baseline: z.number(),
      tangent: z.number(),
      parabola: z.number(),
      removed: z.number(),
    }),
  ),
});

export const applyJson = z.object({
  model: z.string(),
  plan: z.string(),
  out: z.string(),
  before: size,
  after: size,
  verified: z.number(),
});

/** By command. */
export const jsonSchemas: Readonly<Record<string, z.ZodType>> = {
  inspect: inspectJson,
  evaluate: evaluateJson,
  prune: pruneJson,
  compare: compareJson,
  gain: gainJson,
  apply: applyJson,
};

/** JSON Schema (draft 2020-12) of what a command prints with `--json`. */
export function jsonSchemaOf(command: string): object | undefined {
  const schema = jsonSchemas[command];
  return schema && z.toJSONSchema(schema, { io: "input" });
}
