/** Starting, pausing and scrubbing runs. */
import type { Goal } from "../backend/backend.ts";
import { type RunState, runs } from "./runs.svelte.ts";
import { backend, session } from "./session.svelte.ts";

let started = 0;

/** Starts a run; ends when it has ended. */
export async function shrink(criterion: string, repair: boolean, goal: Goal): Promise<RunState | undefined> {
  const { data } = session;
  if (!data) return undefined;
  const id = `run ${++started}`;
  const { error, accuracy } = data;
  runs.list.push({
    ...{ id, criterion, repair, goal },
    status: "running",
    expected: 0,
    points: [{ removed: 0, error, ...(accuracy !== undefined && { accuracy }) }],
    summary: undefined,
  });
  const own = runs.list.at(-1) as RunState; // as Svelte watches it
  session.problem = "";
  try {
    const { summary } = await (await backend()).shrink({ id, criterion, repair, goal });
    own.summary = summary;
    own.points = [
      { removed: 0, ...qualityOf(summary.before) },
      ...summary.removed
        .filter((row) => Number.isFinite(row.error))
        .map((row) => ({ removed: row.step, ...qualityOf(row) })),
    ];
    own.status = "ended";
    await goTo(id, summary.removed.length);
  } catch (problem) {
    own.status = "failed";
    session.problem = problem instanceof Error ? problem.message : String(problem);
  }
  return own;
}

function qualityOf({ error, accuracy }: { readonly error: number; readonly accuracy?: number }) {
  return { error, ...(accuracy !== undefined && { accuracy }) };
}

/** Pauses a run, or lets it go on for so many steps. */
export async function allow(run: RunState, steps: number): Promise<void> {
  run.status = steps === 0 ? "paused" : steps === Number.POSITIVE_INFINITY ? "running" : run.status;
  await (await backend()).allow(run.id, steps);
  if (steps < Number.POSITIVE_INFINITY) await goTo(run.id, run.points.at(-1)?.removed ?? 0);
}

let asked = 0;

/** Moves the scrubber. What comes late for another place is dropped. */
export async function goTo(run: string, removed: number): Promise<void> {
  runs.shown = run;
  runs.removed = removed;
  const question = ++asked;
  try {
    const at = await (await backend()).at({ run, removed });
    if (question === asked) runs.at = at;
  } catch (problem) {
    if (question === asked) session.problem = problem instanceof Error ? problem.message : String(problem);
  }
}
