/** Runs and how they go, and where on which one the scrubber stands. */
import type { PruneSummary } from "@shrinknet/core";
import type { Goal, StateAt, Step } from "../backend/backend.ts";

export interface RunState {
  readonly id: string;
  readonly criterion: string;
  readonly repair: boolean;
  readonly goal: Goal;
  status: "running" | "paused" | "ended" | "failed";
  expected: number;
  /** From the intact network on: error and accuracy after so many removals. */
  points: { removed: number; error?: number; accuracy?: number }[];
  summary: PruneSummary | undefined;
}

interface Runs {
  list: RunState[];
  /** Of the run that the scrubber is on. */
  shown: string;
  removed: number;
  at: StateAt | undefined;
}

export const runs: Runs = $state({ list: [], shown: "", removed: 0, at: undefined });

/** Hears of every removal. */
export function stepped({ run, removed, expected, error, accuracy }: Step): void {
  const own = runs.list.find(({ id }) => id === run);
  if (!own) return;
  own.expected = expected;
  if (error === undefined || !Number.isFinite(error)) return;
  own.points.push({ removed, error, ...(accuracy !== undefined && { accuracy }) });
}

/** The run that the scrubber is on; undefined before the first has ended. */
export function shownRun(): RunState | undefined {
  return runs.list.find(({ id }) => id === runs.shown);
}
