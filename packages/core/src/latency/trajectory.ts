/** How long a network takes as it shrinks: cut at a few stages of a run, each timed in turns with the original. */
import type { Tensor } from "../graph/tensor.ts";
import { stateOf } from "../measure/state.ts";
import type { Removal } from "../results.ts";
import type { Runner } from "../runner.ts";
import { fileFeeds, fileOf } from "../surgery/file.ts";
import type { Prunable } from "../units/prepare.ts";
import { median } from "../util/median.ts";
import { timeFiles } from "./compare.ts";

/** Stages of a run that are timed, the last one among them. */
const STAGES = 8;
/** Milliseconds that the runs of one stage may take together. */
const PATIENCE = 400;

export interface TrajectoryOptions {
  readonly runner: Runner;
  /** Samples of one run. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Milliseconds, with fractions. */
  clock(): number;
}

/**
 * Milliseconds of one run after so many removals, at eighths of the trace: the original's share at that moment times
 * `original`, so that a machine whose speed changes does not bend the curve. Empty where a network takes seconds.
 */
export async function latencyAlong(
  prepared: Prunable,
  original: Uint8Array,
  trace: readonly Pick<Removal, "group" | "unit">[],
  { runner, feeds, clock }: TrajectoryOptions,
): Promise<{ readonly original?: number; readonly stages: ReadonlyMap<number, number> }> {
  const first = new Map(prepared.units.groups.map((group) => [group.id, group.first]));
  const removed = new Uint8Array(prepared.units.count);
  const timed: { readonly step: number; readonly before: number; readonly share: number }[] = [];
  let done = 0;
  for (const step of stagesOf(trace.length)) {
    for (const { group, unit } of trace.slice(done, step)) removed[(first.get(group) ?? 0) + unit] = 1;
    done = step;
    const after = fileOf(prepared, stateOf(prepared, removed).model, removed);
    const pairs = await timeFiles(runner, { before: original, after }, fileFeeds(prepared, feeds), clock, PATIENCE);
    if (!pairs) return { stages: new Map() };
    timed.push({ step, before: median(pairs.before), share: median(pairs.after) / median(pairs.before) });
  }
  if (timed.length === 0) return { stages: new Map() };
  const typical = median(timed.map(({ before }) => before));
  return { original: typical, stages: new Map(timed.map(({ step, share }) => [step, share * typical])) };
}

function stagesOf(removals: number): number[] {
  const steps = Array.from({ length: STAGES }, (_, i) => Math.round((removals * (i + 1)) / STAGES));
  return [...new Set(steps)].filter((step) => step > 0);
}
