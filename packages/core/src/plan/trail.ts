/**
 * The way that a run has gone: its removals in order, and how good the network was at the stages that were measured.
 * Measuring is a pass over the data, so a run may leave some stages out; their rows have no error and no accuracy.
 */
import type { Compensator } from "../compensate/compensator.ts";
import { QualityMeter } from "../measure/quality.ts";
import { type State, stateOf } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Quality, Removal } from "../results.ts";
import { type Size, sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Progress } from "./budget.ts";

/** What a row of the trace says of a choice; the trail adds the state after it. */
export type Choice = Omit<Removal, keyof Quality | keyof Size | "step" | "test">;

/** Follows the quality on the calibration data and on the held-out data, where there are any. */
interface Meters {
  readonly data: QualityMeter | undefined;
  readonly test: QualityMeter | undefined;
}

export class Trail {
  /** One row for each removal. */
  readonly rows: Removal[] = [];
  readonly #prunable: Prunable;
  readonly #compensator: Compensator | undefined;
  readonly #openMeters: (state: State) => Promise<Meters>;
  readonly #units: number[] = [];
  #meters: Meters = { data: undefined, test: undefined };
  #state: State;
  #now: Progress;
  #before: Progress;
  /** Removals at the last measured stage, and at the one before it. */
  #measuredAt = 0;
  #measuredBefore = 0;

  private constructor(
    prunable: Prunable,
    compensator: Compensator | undefined,
    openMeters: (state: State) => Promise<Meters>,
  ) {
    this.#prunable = prunable;
    this.#compensator = compensator;
    this.#openMeters = openMeters;
    this.#state = stateOf(prunable, new Uint8Array(prunable.units.count));
    this.#now = { ...sizeAfter(prunable, this.#state.removed), removed: 0 };
    this.#before = this.#now;
  }

  /** At the intact network. */
  static async start(
    prunable: Prunable,
    subject: Subject | undefined,
    test: Subject | undefined,
    compensator?: Compensator,
  ): Promise<Trail> {
    const loops = compensator === undefined;
    const trail = new Trail(prunable, compensator, async (state) => ({
      data: subject && (await QualityMeter.of(subject, state, loops)),
      test: test && (await QualityMeter.of(test, state, loops)),
    }));
    trail.#meters = await trail.#openMeters(trail.#state);
    trail.#now = { ...trail.#now, ...(await trail.meter?.measure()) };
    trail.#before = trail.#now;
    return trail;
  }

  /** The calibration data's meter, with the kept activations of the present stage. */
  get meter(): QualityMeter | undefined {
    return this.#meters.data;
  }

  get state(): State {
    return this.#state;
  }

  /** The present stage; error and accuracy only where it is measured. */
  get now(): Progress {
    return this.#now;
  }

  /** The intact network. */
  get before(): Progress {
    return this.#before;
  }

  get isMeasured(): boolean {
    return this.sinceMeasured === 0;
  }

  /** Removals since the last measured stage. */
  get sinceMeasured(): number {
    return this.#units.length - this.#measuredAt;
  }

  /** Goes on to the stage without one more unit, which is not measured yet. */
  remove(unit: number, choice: Choice): void {
    const removed = this.#state.removed.slice();
    removed[unit] = 1;
    this.#units.push(unit);
    this.#state = stateOf(this.#compensator?.prunable ?? this.#prunable, removed);
    this.#meters.data?.activations.advance(this.#state);
    this.#meters.test?.activations.advance(this.#state);
    const size = sizeAfter(this.#compensator?.written ?? this.#prunable, removed);
    this.#now = { ...size, removed: this.#units.length };
    this.rows.push({ step: this.#units.length, ...choice, error: Number.NaN, ...size });
  }

  /** Measures the present stage, unless it is measured already, and notes it in the last row. */
  async measure(): Promise<Progress> {
    if (this.isMeasured) return this.#now;
    await this.#repair();
    const quality = await this.#meters.data?.measure();
    const test = await this.#meters.test?.measure();
    const last = this.rows.length - 1;
    this.rows[last] = { ...(this.rows[last] as Removal), ...quality, ...(test && { test }) };
    this.#now = { ...this.#now, ...quality };
    [this.#measuredBefore, this.#measuredAt] = [this.#measuredAt, this.#units.length];
    return this.#now;
  }

  /**
   * Goes back from the present stage, which is measured and not permitted, to the last one before it that is: the stages
   * since the previous measured one are measured singly. Returns why the next one is not permitted, in words.
   */
  async retreat(whyNot: (stage: Progress) => string | undefined): Promise<string> {
    const refused = whyNot(this.#now) as string;
    const units = this.#units.splice(this.#measuredBefore);
    const rows = this.rows.splice(this.#measuredBefore);
    const removed = this.#state.removed.slice();
    for (const unit of units) removed[unit] = 0;
    this.#state = stateOf(this.#prunable, removed);
    await this.release();
    this.#meters = await this.#openMeters(this.#state);
    await this.#repair();
    this.#measuredAt = this.#measuredBefore;
    for (const [index, unit] of units.slice(0, -1).entries()) {
      this.remove(unit, rows[index] as Removal);
      const why = whyNot(await this.measure());
      if (why !== undefined) {
        await this.retreat(whyNot);
        return why;
      }
    }
    return refused;
  }

  /** Fits the consumers again, for the units that are gone at the present stage. */
  async #repair(): Promise<void> {
    if (!this.#compensator || !this.meter) return;
    const { removed } = this.#state;
    const fitted = await this.#compensator.repair(this.meter.activations, removed);
    this.#state = stateOf(this.#compensator.prunable, removed);
    this.meter.activations.advance(this.#state, fitted);
    this.#meters.test?.activations.advance(this.#state, fitted);
  }

  async release(): Promise<void> {
    await this.#meters.data?.release();
    await this.#meters.test?.release();
  }
}
