/**
 * The history of a run: its removals in order, and how good the network was at the stages that were measured.
 * Measuring is a pass over the data, so a run may leave some stages out; their rows have no error and no accuracy.
 */
import type { Compensator } from "../compensate/compensator.ts";
import type { LatencyModel } from "../latency/model.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { cutInBlocks, idleGroups } from "../measure/idle.ts";
import { QualityMeter } from "../measure/quality.ts";
import { type State, stateOf } from "../measure/state.ts";
import type { Quality, Removal } from "../results.ts";
import { fileSizeOf } from "../surgery/file.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { type Size, sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Group, groupOf } from "../units/units.ts";
import type { Budget, Progress } from "./budget.ts";
import { HeldOut } from "./held-out.ts";

/** What a row of the trace says of a choice; the history adds the state after it. */
export type Choice = Omit<Removal, keyof Quality | keyof Size | "step" | "test" | "heldOut">;

/** Size of a file. */
export interface FileSize extends Size {
  readonly bytes: number;
}

export interface HistoryOptions {
  readonly test?: Evaluator | undefined;
  readonly heldOut?: Evaluator | undefined;
  readonly compensator?: Compensator | undefined;
  readonly budget?: Budget;
  readonly fileSize?: FileSize | undefined;
  /** Says how long a run takes at each stage. */
  readonly latency?: LatencyModel | undefined;
}

/** Follows the quality on the calibration data, its held-out part and the test data, where there are any. */
interface Meters {
  readonly data?: QualityMeter | undefined;
  readonly test?: QualityMeter | undefined;
  readonly held?: HeldOut | undefined;
}

/** Units that only go together: of one group, where widths are kept multiples. */
interface Move {
  readonly units: number[];
  readonly choices: Choice[];
}

/** Times that the latency of a stage at its goal is measured, at most. */
const SETTLING = 4;

export class PruningHistory {
  /** One row for each removal. */
  readonly rows: Removal[] = [];
  readonly #prunable: Prunable;
  readonly #compensator: Compensator | undefined;
  /** Channels that are cut together while stages are only measured, and the groups that they are cut of. */
  readonly #block: number;
  readonly #idleGroups: readonly Group[];
  /** Whether a goal asks for the bytes of the file. */
  readonly #countsBytes: boolean;
  readonly #latency: LatencyModel | undefined;
  readonly #moves: Move[] = [];
  #meters: Meters = {};
  #state: State;
  #now: Progress;
  #before: Progress;
  #isMeasured = true;
  /** Moves at the last measured stage between moves, and at the one before it. */
  #measuredAt = 0;
  #measuredBefore = 0;

  private constructor(prunable: Prunable, { compensator, budget, latency }: HistoryOptions, block: number) {
    this.#prunable = prunable;
    this.#compensator = compensator;
    this.#block = block;
    this.#idleGroups = block > 1 && !compensator ? idleGroups(prunable) : [];
    this.#latency = latency;
    this.#countsBytes = budget?.targetBytes !== undefined;
    this.#state = stateOf(prunable, new Uint8Array(prunable.units.count));
    this.#now = { ...this.#size(), removed: 0 };
    this.#before = this.#now;
  }

  /** At the intact network. */
  static async start(
    prunable: Prunable,
    evaluator: Evaluator | undefined,
    options: HistoryOptions,
  ): Promise<PruningHistory> {
    const { test, heldOut, compensator, budget = {}, fileSize } = options;
    const loops = compensator === undefined;
    const intact = stateOf(prunable, new Uint8Array(prunable.units.count));
    const history = new PruningHistory(prunable, options, evaluator?.runner.channelBlock ?? 1);
    history.#meters = {
      data: evaluator && (await QualityMeter.of(evaluator, intact, loops)),
      test: test && (await QualityMeter.of(test, intact, loops)),
      held: evaluator && heldOut && (await HeldOut.of(heldOut, evaluator.samples.size, intact, budget, loops)),
    };
    history.#now = { ...history.#now, ...(await history.#quality()) };
    if (fileSize) {
      const { parameters, macs, bytes } = fileSize;
      history.#before = { ...history.#now, parameters, macs, bytes };
    } else history.#before = history.#now;
    return history;
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
    return this.#isMeasured;
  }

  /** Removals since the last stage between moves that was measured. */
  get sinceMeasured(): number {
    return this.#moves.slice(this.#measuredAt).reduce((sum, { units }) => sum + units.length, 0);
  }

  /** Goes on to the stage without one more unit, which is not measured yet. `continues`: it goes with the one before it. */
  remove(unit: number, choice: Choice, continues = false): void {
    const removed = this.#state.removed.slice();
    removed[unit] = 1;
    const last = this.#moves.at(-1);
    if (continues && last) {
      last.units.push(unit);
      last.choices.push(choice);
    } else this.#moves.push({ units: [unit], choices: [choice] });
    this.#isMeasured = false;
    this.#advance(this.#stateAt(removed));
    const size = this.#size();
    this.#now = { ...size, removed: this.rows.length + 1 };
    this.rows.push({ step: this.rows.length + 1, ...choice, error: Number.NaN, ...size });
  }

  /** Fits all consumers at the present stage, which is measured anew. */
  async repair(): Promise<void> {
    if (!this.#compensator || !this.meter) return;
    const { removed } = this.#state;
    const fitted = await this.#compensator.repair(this.meter.activations, removed);
    if (fitted.length === 0) return;
    this.#advance(stateOf(this.#compensator.prunable, removed), fitted);
    await this.#note();
  }

  /** The last repair of a run: all consumers together. Its stage is measured anew. */
  async finish(): Promise<void> {
    if (!this.#compensator || !this.meter) return;
    const fitted = await this.#compensator.finish();
    if (fitted.length === 0) return;
    this.#advance(stateOf(this.#compensator.prunable, this.#state.removed), fitted);
    await this.#note();
  }

  /**
   * Has the present stage's latency measured, which corrects the predictions, and takes back the last moves as far as the goal is
   * reached without them.
   */
  async settleLatency(goal: number): Promise<void> {
    const latency = this.#latency;
    if (!latency) return;
    for (let round = 0; round < SETTLING; round++) {
      await latency.measure(this.#state);
      const kept = this.#moves.findIndex((_, at) => latency.predict(this.#without(at + 1)) <= goal) + 1;
      if (kept === 0 || kept === this.#moves.length) break;
      await this.#backTo(kept);
      this.#isMeasured = false;
    }
    this.#now = { ...this.#now, ...this.#size() };
  }

  /** What is gone after the first `count` moves. */
  #without(count: number): RemovedUnits {
    const removed = new Uint8Array(this.#prunable.units.count);
    for (const { units } of this.#moves.slice(0, count)) for (const unit of units) removed[unit] = 1;
    return removed;
  }

  /** Measures the present stage, unless it is measured already, and notes it in the last row. */
  async measure(): Promise<Progress> {
    if (this.#isMeasured) return this.#now;
    await this.#repair();
    await this.#note();
    if (this.#measuredAt !== this.#moves.length) {
      [this.#measuredBefore, this.#measuredAt] = [this.#measuredAt, this.#moves.length];
    }
    return this.#now;
  }

  /** Measures the present stage and notes it in the last row. */
  async #note(): Promise<void> {
    const { error = Number.NaN, accuracy, outputs, heldOut } = await this.look();
    const quality = {
      error,
      ...(accuracy !== undefined && { accuracy }),
      ...(outputs && { outputs }),
      ...(heldOut && { heldOut }),
    };
    const test = (await this.#meters.test?.measure())?.quality;
    const last = this.rows.pop();
    if (last) this.rows.push({ ...last, ...quality, ...(test && { test }) });
  }

  /** Measures the present stage, whose consumers are fitted, without noting it in a row. */
  async look(): Promise<Progress> {
    this.#now = { ...this.#now, ...this.#size(), ...(await this.#quality()) };
    this.#isMeasured = true;
    return this.#now;
  }

  /** Goes to a stage without other units and fits its consumers. It is not measured yet; the rows stay. */
  async visit(removed: RemovedUnits): Promise<void> {
    this.#advance(this.#stateAt(removed));
    await this.#repair();
    this.#now = { ...this.#size(), removed: this.rows.length };
    this.#isMeasured = false;
  }

  /** Notes that a removed unit has come back and which one of its group is gone for it. */
  noteSwap(back: number, out: number): void {
    const { first, id } = groupOf(this.#prunable.units, back);
    const at = this.rows.findIndex(({ group, unit, instead = unit }) => group === id && first + instead === back);
    const { instead: _, ...row } = this.rows[at] as Removal;
    this.rows[at] = row.unit === out - first ? row : { ...row, instead: out - first };
  }

  /**
   * Goes back from the present stage, which is measured and not permitted, to one before it that is, and that is not permitted
   * with one more move: it lies behind the previous measured stage, and is looked for by halves. Returns why the next one is not
   * permitted, in words.
   */
  async retreat(whyNot: (stage: Progress) => string | undefined): Promise<string> {
    let refused = whyNot(this.#now) as string;
    const good = this.#measuredBefore;
    const moves = await this.#backTo(good);
    let [kept, tooMany] = [0, moves.length]; // moves behind the good stage
    this.#now = { ...this.#now, ...(await this.#quality()) };
    this.#isMeasured = true;
    while (tooMany - kept > 1) {
      const middle = (kept + tooMany) >> 1;
      for (const move of moves.slice(kept, middle)) this.#again(move);
      const why = whyNot(await this.measure());
      if (why === undefined) kept = middle;
      else {
        [refused, tooMany] = [why, middle];
        await this.#backTo(good + kept);
        this.#now = { ...this.#now, ...(await this.#quality()) };
        this.#isMeasured = true;
      }
    }
    return refused;
  }

  #again({ units, choices }: Move): void {
    for (const [place, unit] of units.entries()) {
      this.remove(unit, choices[place] as Choice, place > 0);
    }
  }

  /** Undoes all but the first `count` moves, and returns them. The stage that it goes back to is not measured anew. */
  async #backTo(count: number): Promise<Move[]> {
    const moves = this.#moves.splice(count);
    const units = moves.flatMap((move) => move.units);
    const removed = this.#state.removed.slice();
    for (const unit of units) removed[unit] = 0;
    this.rows.splice(this.rows.length - units.length);
    this.#measuredAt = Math.min(this.#measuredAt, count);
    this.#advance(this.#stateAt(removed));
    await this.#repair();
    this.#now = { ...this.#size(), removed: this.rows.length };
    return moves;
  }

  async release(): Promise<void> {
    await this.#meters.data?.release();
    await this.#meters.test?.release();
    await this.#meters.held?.release();
  }

  /** The stage without these units, as it is measured. */
  #stateAt(removed: RemovedUnits): State {
    if (this.#compensator) return stateOf(this.#compensator.prunable, removed);
    return stateOf(this.#prunable, removed, cutInBlocks(this.#idleGroups, removed, this.#state.cut, this.#block));
  }

  #advance(state: State, fitted: readonly string[] = []): void {
    this.#state = state;
    this.#meters.data?.activations.advance(state, fitted);
    this.#meters.test?.activations.advance(state, fitted);
    this.#meters.held?.advance(state, fitted);
  }

  /** Fits the readers of the units that have gone since the last stage. */
  async #repair(): Promise<void> {
    if (!this.#compensator || !this.meter) return;
    const { removed } = this.#state;
    const fitted = await this.#compensator.repairReaders(this.meter.activations, removed);
    this.#advance(stateOf(this.#compensator.prunable, removed), fitted);
  }

  async #quality(): Promise<Omit<Progress, "removed" | keyof Size>> {
    const quality = (await this.meter?.measure())?.quality;
    return { ...quality, ...(quality && (await this.#meters.held?.measure(quality))) };
  }

  #size(): Size & { bytes?: number; latency?: number } {
    const written = this.#compensator?.written ?? this.#prunable;
    const { removed } = this.#state;
    return {
      ...sizeAfter(written, removed),
      ...(this.#countsBytes && { bytes: fileSizeOf(this.#prunable, stateOf(written, removed).model, removed) }),
      ...(this.#latency && { latency: this.#latency.predict(removed) }),
    };
  }
}
