import {
  type CompareRun,
  type CompareStep,
  type CompareSummary,
  certificatesOf,
  type GainCurve,
  type ModelState,
  type PruneSummary,
  type Removal,
} from "@shrinknet/core";

/** Repeatable numbers in [0, 1): a linear congruential generator. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface FixtureOptions {
  /** Number of removals. */
  readonly removals?: number;
  /** Layers of equal width; default fc1 and fc2. */
  readonly layers?: readonly string[];
  readonly accuracy?: boolean;
  readonly test?: boolean;
  readonly predicted?: boolean;
  /** Number of classes; default: none are known. */
  readonly classes?: number;
}

/** Answers on the calibration data, a held-out part and test data. */
function answers(classes: number): Pick<PruneSummary, "answers" | "heldOut"> {
  const next = random(3);
  const of = (samples: number): NonNullable<PruneSummary["answers"]>["calibration"] => ({
    drop: { samples, drop: 0.009, low: 0.004, high: 0.014, confidence: 0.95, lost: 80, won: 35 },
    classes: Array.from({ length: classes }, (_, label) => {
      const before = 0.7 + 0.3 * next();
      return { class: label, samples: 50, before, after: before * (1 - 0.3 * next() ** 4) };
    }),
  });
  return {
    heldOut: { samples: 1000, share: 0.2, usedFor: "the limit on the accuracy, with all others" },
    answers: { calibration: of(5000), heldOut: of(1000), test: of(2000) },
  };
}

function quality(share: number, samples: number, accuracy: boolean): { error: number; accuracy?: number } {
  const error = samples * (0.002 + 0.4 * share ** 4);
  return { error, ...(accuracy ? { accuracy: 0.99 - 0.85 * share ** 5 } : {}) };
}

function state(units: number, total: number, options: FixtureOptions): ModelState {
  const { accuracy = true, test = true } = options;
  const share = 1 - units / total;
  return {
    units,
    parameters: units * 411 + 10,
    macs: units * 410,
    bytes: units * 1644 + 900,
    ...quality(share, 5000, accuracy),
    ...(test ? { test: quality(share * 1.02, 1000, accuracy) } : {}),
  };
}

export function pruneFixture(options: FixtureOptions = {}): PruneSummary {
  const { removals = 20, layers = ["fc1", "fc2"], predicted = true, classes } = options;
  const size = Math.ceil((removals + 5) / layers.length);
  const total = size * layers.length;
  const next = random(7);
  const left = layers.map(() => Array.from({ length: size }, (_, i) => i));
  let before = state(total, total, options);
  const removed = Array.from({ length: removals }, (_, i): Removal => {
    const wanted = Math.floor(next() ** 2 * layers.length);
    const at = left[wanted]?.length ? wanted : left.findIndex((units) => units.length > 0);
    const after = state(total - i - 1, total, options);
    const change = after.error - before.error;
    const { units: _units, bytes: _bytes, ...rest } = after;
    before = after;
    return {
      ...rest,
      step: i + 1,
      group: `g${at}`,
      unit: left[at]?.splice(Math.floor(next() * (left[at]?.length ?? 1)), 1)[0] ?? 0,
      layer: layers[at] ?? "?",
      certificate: "exact",
      evaluations: total - i,
      work: 10 * (total - i),
      candidates: total - i,
      score: change * (0.5 + next()),
      ...(predicted ? { predicted: change * (0.3 + next()) - 0.2 } : {}),
    };
  });
  return {
    model: "mnist-1layer.onnx",
    out: "small.onnx",
    criterion: "taylor2",
    schedule: "rerank",
    objective: "sse",
    compensation: "none",
    seed: 1,
    before: state(total, total, options),
    after: state(total - removals, total, options),
    ...(classes !== undefined && answers(classes)),
    removed,
    certificates: certificatesOf(removed),
    layers: layers.map((layer, i) => ({
      group: `g${i}`,
      layer,
      kind: "neuron",
      before: size,
      after: left[i]?.length ?? 0,
    })),
    evaluations: 5035,
    seconds: 12.34,
    verified: 3.1e-7,
    allowance: 4e-6,
    stopped: `${removals} units removed`,
  };
}

export function compareFixture(options: FixtureOptions & { schedules?: readonly string[] } = {}): CompareSummary {
  const { schedules = ["rerank"], predicted = true } = options;
  const source = pruneFixture(options);
  const runs = schedules.flatMap((schedule) =>
    ["oracle", "taylor1", "taylor2"].map((criterion, c): CompareRun => {
      const worse = 1 + c * 0.3 + (schedule === "once" ? 0.4 : 0);
      const steps = source.removed.map(
        ({ step, group, unit, layer, error, accuracy, test, predicted: change }): CompareStep => ({
          removed: step,
          group,
          unit,
          layer,
          error: error * worse,
          predicted: predicted ? (change ?? 0) : null,
          ...(accuracy === undefined ? {} : { accuracy: accuracy / worse ** 0.1 }),
          ...(test ? { test } : {}),
        }),
      );
      return {
        criterion,
        schedule,
        compensation: "none",
        steps,
        seconds: 10 / (c + 1),
        evaluations: c === 0 ? 5035 : 0,
      };
    }),
  );
  return {
    model: source.model,
    objective: source.objective,
    baseline: source.before,
    layers: source.layers.map(({ group, layer, kind, before }) => ({ group, layer, kind, size: before })),
    runs,
  };
}

export function gainFixture(): GainCurve {
  const error = (gain: number): number => 10 + 4 * Math.tanh(gain - 1.4) ** 2 + 0.1 * (gain - 1) ** 2;
  const points = Array.from({ length: 101 }, (_, i) => ({ gain: i / 10, error: error(i / 10) }));
  const slope = (error(1.0001) - error(0.9999)) / 0.0002;
  const bend = (error(1.001) - 2 * error(1) + error(0.999)) / 1e-6;
  const baseline = error(1);
  return {
    group: "g0",
    unit: 3,
    layer: "fc1",
    points,
    baseline,
    tangent: baseline - slope,
    parabola: baseline - slope + bend / 2,
    removed: error(0),
  };
}
