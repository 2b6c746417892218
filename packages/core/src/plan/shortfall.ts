/** Why a goal was not reached: how far the run got, what stopped it, and what stands in the way. */
import { ShrinkError } from "../errors.ts";
import type { Obstacle } from "../results.ts";
import { sizeAfter } from "../surgery/size.ts";
import { findObstacles } from "../units/obstacles.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Budget, bytesGoal, goalReached, hasGoal, latencyGoal, type Progress, removalGoal } from "./budget.ts";
import type { Chosen } from "./choose.ts";
import { mostRemoved, noneLeft, type Selection } from "./select.ts";

/** Obstacles that are named. */
const NAMED = 2;

/** The error that says so. `after` may know more of the end than the run did, such as the bytes of the real file. */
export function shortfall(
  prunable: Prunable,
  budget: Budget,
  { before, after, stopped, exhausted }: Pick<Chosen, "before" | "after" | "stopped" | "exhausted">,
  how: string = "not reached after removing",
): ShrinkError {
  const { count } = prunable.units;
  if (count === 0) {
    return new ShrinkError("model", "model: nothing can be removed, so nothing was written; inspect shows why");
  }
  const far = distances(budget, after, before, count);
  const blocked = exhausted ? obstaclesText(findObstacles(prunable), costOf(budget)) : "";
  const isOfTime = budget.targetLatency !== undefined && !prunable.options?.kinds?.includes("block");
  const more = isOfTime ? "let whole branches go (--kinds neurons,channels,heads,blocks), " : "";
  const advice = exhausted ? `${more}ask for less` : "relax a limit";
  return new ShrinkError(
    "budget",
    `target: ${how} ${after.removed} of ${count} units (${stopped}): ${far.join(", ")}` +
      `${blocked}; ${advice}, or accept what was reached with --best-effort`,
  );
}

/**
 * Refuses goals that no run can reach, before it begins: not even without all units that may go. Bytes, which compensation
 * changes, are left to the run.
 */
export function checkReachable(prunable: Prunable, budget: Budget, selection: Selection, before: Progress): void {
  const { isReached, after } = furthest(prunable, budget, selection, before);
  if (isReached) return;
  const { count } = prunable.units;
  const end = { before, after, stopped: noneLeft(count - after.removed, selection), exhausted: true };
  throw shortfall(prunable, budget, end, "out of reach, even without");
}

/** The largest part of a runtime's block (whole, half, ...) with which the goals can be reached; else 1. */
export function fittingBlock(
  prunable: Prunable,
  budget: Budget,
  selection: Selection & { readonly block: number },
  before: Progress,
): number {
  let { block } = selection;
  while (block > 1 && !furthest(prunable, budget, { ...selection, block }, before).isReached) block /= 2;
  return block;
}

/** The network without all units that may go, and whether its size is within the goals. */
function furthest(
  prunable: Prunable,
  budget: Budget,
  selection: Selection,
  before: Progress,
): { isReached: boolean; after: Progress } {
  const most = mostRemoved(prunable.units, selection);
  const removed = most.reduce((sum, one) => sum + one, 0);
  const after = { ...sizeAfter(prunable, most), removed };
  const isLeftToRun = budget.targetBytes !== undefined || budget.targetLatency !== undefined || !hasGoal(budget);
  return { after, isReached: isLeftToRun || goalReached(budget, after, before, prunable.units.count) !== undefined };
}

/** What is left and what was asked, for each goal. */
function distances(budget: Budget, after: Progress, before: Progress, units: number): string[] {
  const share = (part: number, whole: number): string => percent(whole > 0 ? part / whole : 1);
  const wanted = removalGoal(budget, units);
  const bytes = bytesGoal(budget, before);
  const time = latencyGoal(budget, before);
  return [
    ...(wanted === undefined ? [] : [`asked to remove ${wanted} units`]),
    ...(budget.targetMacs === undefined
      ? []
      : [`${share(after.macs, before.macs)} of the MACs are left, asked ${percent(budget.targetMacs)}`]),
    ...(budget.targetParams === undefined
      ? []
      : [
          `${share(after.parameters, before.parameters)} of the parameters are left, asked ${percent(budget.targetParams)}`,
        ]),
    ...(bytes === undefined ? [] : [`the file has ${grouped(after.bytes ?? 0)} bytes, asked ${grouped(bytes)}`]),
    ...(time === undefined ? [] : [`a run takes ${milliseconds(after.latency)}, asked ${milliseconds(time)}`]),
  ];
}

type Cost = "macs" | "parameters" | "units";

/** The cost that obstacles are weighed by. */
function costOf({ targetMacs, targetParams, targetBytes }: Budget): Cost {
  if (targetMacs !== undefined) return "macs";
  return targetParams !== undefined || targetBytes !== undefined ? "parameters" : "units";
}

const costNames: Readonly<Record<Cost, string>> = { macs: "MACs", parameters: "parameters", units: "units" };

/** The largest things that cannot be removed, whatever the limits are. */
function obstaclesText(obstacles: readonly Obstacle[], cost: Cost): string {
  const largest = obstacles.filter((one) => one[cost] > 0).sort((a, b) => b[cost] - a[cost]);
  if (largest.length === 0) return "";
  const named = largest
    .slice(0, NAMED)
    .map((one) => `${one.reason} (${percent(one[cost])} of the ${costNames[cost]} depend on it)`);
  return `; what is frozen: ${named.join(", ")}; inspect shows all`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function milliseconds(time: number | undefined): string {
  return `${Number((time ?? 0).toPrecision(3))} ms`;
}

function grouped(count: number): string {
  return Math.round(count).toLocaleString("en");
}
