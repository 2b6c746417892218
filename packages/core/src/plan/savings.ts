/** What a removal saves of the costs that a budget names: the divisor of a cost-aware choice. */
import type { Criterion } from "../criteria/criterion.ts";
import type { LatencyModel } from "../latency/model.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { type Size, sizeAfter } from "../surgery/size.ts";
import { neighboursOf } from "../units/neighbours.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Group } from "../units/units.ts";
import { type Budget, bytesGoal, hasGoal, isOfCosts, latencyGoal } from "./budget.ts";

/**
 * Savings per unit, by group: equal for the units of a group, as all have slices of the same sizes. They are those of the
 * current state (a channel's MACs depend on how many of its neighbours are left), so they are counted anew for a group whose
 * own or neighbouring widths have changed.
 */
export class Savings {
  readonly #prunable: Prunable;
  readonly #before: Size;
  readonly #weights: Size;
  readonly #latency: LatencyModel | undefined;
  readonly #neighbours: ReadonlyMap<Group, readonly Group[]>;
  readonly #known = new Map<Group, { widths: string; saved: number }>();

  private constructor(prunable: Prunable, weights: Size, latency: LatencyModel | undefined) {
    this.#latency = latency;
    this.#prunable = prunable;
    this.#before = sizeAfter(prunable, new Uint8Array(prunable.units.count));
    this.#weights = weights;
    this.#neighbours = neighboursOf(prunable);
  }

  /**
   * Undefined where the budget names no cost, and for criteria that predict no changes of the error: their scores say how a
   * unit stands in its own group, and dividing that by what it saves empties the groups that save most (ResNet-20 by
   * `magnitude` to 80 % of its MACs: test accuracy 0.48 in place of 0.85). Bytes are counted as parameters, which they are
   * but for a constant.
   */
  static of(
    prunable: Prunable,
    budget: Budget,
    criterion: Criterion,
    { latency, inBlocks = false }: { readonly latency?: LatencyModel | undefined; readonly inBlocks?: boolean } = {},
  ): Savings | undefined {
    const byLimits = inBlocks && isOfCosts(budget) && !hasGoal(budget); // the network should cost less within its limits

    const weights: Size = {
      macs: budget.targetMacs === undefined && !byLimits ? 0 : 1,
      parameters: (budget.targetParams === undefined ? 0 : 1) + (budget.targetBytes === undefined ? 0 : 1),
    };
    const isHarm = criterion.inErrorUnits && criterion.needsData;
    const isAny = weights.macs + weights.parameters > 0 || latency !== undefined;
    return isHarm && isAny ? new Savings(prunable, weights, latency) : undefined;
  }

  /**
   * By unit: the share of the costs that removing one more unit of its group saves, added up over the costs that are named.
   * `now`: the size of the state.
   */
  perUnit(removed: RemovedUnits, now: Size): Float64Array {
    const { groups, count } = this.#prunable.units;
    const widths = new Map(groups.map((group) => [group, widthOf(group, removed)]));
    const result = new Float64Array(count);
    for (const group of groups) {
      if (widths.get(group) === 0) continue;
      const key =
        this.#neighbours
          .get(group)
          ?.map((one) => widths.get(one))
          .join(" ") ?? "";
      let known = this.#known.get(group);
      if (known?.widths !== key) {
        known = { widths: key, saved: this.#saved(group, removed, now) };
        this.#known.set(group, known);
      }
      result.fill(known.saved, group.first, group.first + group.size);
    }
    return result;
  }

  /**
   * The share of the costs that is still to go, added up over the costs that are named: what a removal saves beyond that is worth
   * nothing. Infinite where a limit alone ends the run.
   */
  toGo(
    now: Size & { readonly bytes?: number; readonly latency?: number },
    budget: Budget,
    fileBytes: number | undefined,
  ): number {
    const share = (rest: number, whole: number): number => (whole > 0 ? Math.max(0, rest / whole) : 0);
    const { macs, parameters } = this.#before;
    const bytes = bytesGoal(budget, { bytes: fileBytes ?? 0 });
    const time = latencyGoal(budget, { latency: this.#latency?.predict(this.#none) ?? 0 });
    const gaps = [
      ...(time === undefined || now.latency === undefined || !this.#latency
        ? []
        : [share(now.latency - time, this.#latency.predict(this.#none))]),
      ...(budget.targetMacs === undefined ? [] : [share(now.macs - budget.targetMacs * macs, macs)]),
      ...(budget.targetParams === undefined
        ? []
        : [share(now.parameters - budget.targetParams * parameters, parameters)]),
      ...(bytes === undefined || now.bytes === undefined || !fileBytes ? [] : [share(now.bytes - bytes, fileBytes)]),
    ];
    return gaps.length > 0 ? gaps.reduce((sum, gap) => sum + gap, 0) : Number.POSITIVE_INFINITY;
  }

  /** The share of the whole network's time that one more unit saves. */
  #timeSaved(removed: RemovedUnits, next: RemovedUnits): number {
    if (!this.#latency) return 0;
    const saved = this.#latency.predict(removed) - this.#latency.predict(next);
    return Math.max(0, saved / this.#latency.predict(this.#none));
  }

  get #none(): RemovedUnits {
    return new Uint8Array(this.#prunable.units.count);
  }

  #saved(group: Group, removed: RemovedUnits, now: Size): number {
    const next = removed.slice();
    next[removed.indexOf(0, group.first)] = 1;
    const then = sizeAfter(this.#prunable, next);
    const share = (cost: keyof Size): number => {
      const whole = this.#before[cost];
      return whole > 0 ? (this.#weights[cost] * (now[cost] - then[cost])) / whole : 0;
    };
    return share("macs") + share("parameters") + this.#timeSaved(removed, next);
  }
}

function widthOf({ first, size }: Group, removed: RemovedUnits): number {
  let left = 0;
  for (let unit = first; unit < first + size; unit++) if (!removed[unit]) left++;
  return left;
}
