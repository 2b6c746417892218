/** When a run measures how good the network still is, and with that repairs it. */
import { LONG_REPAIR } from "../compensate/compensator.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { Budget, Progress } from "./budget.ts";
import { affordableTrace } from "./trace-every.ts";

/** Share of the units, MACs or parameters that may be left of those at the last repair: then the next is due. */
const KEPT = 0.85;
const KEPT_WHERE_LONG = 0.6;

export class Stages {
  readonly #every: number;
  /** See {@link KEPT}; 0 without repairs. */
  readonly #kept: number;
  #last: Progress | undefined;

  private constructor(every: number, kept: number) {
    this.#every = every;
    this.#kept = kept;
  }

  /**
   * `every`: removals between stages; default: as many as is affordable, and with repairs whenever some share of the network has
   * gone. Counted, so the same on every machine. `repair`: multiply-accumulates of a repair; undefined: none is made.
   */
  static of(
    evaluator: Evaluator | undefined,
    budget: Budget,
    { every, repair }: { readonly every?: number | undefined; readonly repair?: number | undefined },
  ): Stages {
    if (every !== undefined) return new Stages(every, 0);
    if (repair !== undefined && repair > LONG_REPAIR) return new Stages(Number.POSITIVE_INFINITY, KEPT_WHERE_LONG);
    const affordable = evaluator ? affordableTrace(evaluator.prunable, evaluator.samples.size, budget, repair) : 1;
    return new Stages(affordable, repair === undefined ? 0 : KEPT);
  }

  /** Whether stages come with repairs, so that they take long. */
  get areRepairs(): boolean {
    return this.#kept > 0;
  }

  /** Stages until so many more units have gone, with such a share of the present cost left. */
  expected(removals: number, share: number): number {
    return Math.ceil(Math.max(Math.log(share) / Math.log(this.#kept), removals / this.#every));
  }

  /** Whether the present stage should be measured. `since`: removals behind the last measured one. */
  isDue(now: Progress, units: number, since: number): boolean {
    this.#last ??= now;
    const isDue = since >= this.#every || this.#hasShrunk(now, this.#last, units);
    if (isDue) this.#last = now;
    return isDue;
  }

  #hasShrunk(now: Progress, last: Progress, units: number): boolean {
    return (
      units - now.removed <= this.#kept * (units - last.removed) ||
      now.macs <= this.#kept * last.macs ||
      now.parameters <= this.#kept * last.parameters
    );
  }
}
