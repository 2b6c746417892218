/**
 * How long a network takes without some of its units, on one runtime with one number of threads: learnt from cut variants of the
 * whole network that were run in turns with it. Layers are not looked at one by one, as a runtime fuses them and chooses their
 * layouts together.
 *
 * The time of a variant over that of the network is taken for a sum over groups of their kept widths, and over neighbours (a layer
 * reads one and makes the other) of the product of their kept widths. What the variants do not tell is drawn to a share of the
 * multiply-accumulates.
 */
import { Algebra } from "../compensate/algebra.ts";
import { ShrinkError } from "../errors.ts";
import type { Tensor } from "../graph/tensor.ts";
import { type State, stateOf } from "../measure/state.ts";
import { leastWidth, type Selection, stepOf, unitsInside } from "../plan/select.ts";
import type { Runner } from "../runner.ts";
import { isEmptied } from "../surgery/bypass.ts";
import { fileFeeds, fileOf } from "../surgery/file.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { sizeAfter } from "../surgery/size.ts";
import { neighboursOf } from "../units/neighbours.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Group } from "../units/units.ts";
import { median } from "../util/median.ts";
import { randomSource } from "../util/random.ts";
import { timeFiles, timeInTurns } from "./compare.ts";
import type { LatencyTable } from "./table.ts";

export interface LearnOptions extends Selection {
  readonly runner: Runner;
  readonly clock: () => number;
  readonly modelHash: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Variants of each group, and beside them; at most so many, in about so many milliseconds. */
const BY_GROUP = 2;
const MIXED = 16;
const MOST_VARIANTS = 72;
const PATIENCE = 12_000;
/** Every so manyth variant says how good the predictions are, and is learnt from only then. */
const JUDGES = 5;

/** Strength that draws to the share of the multiply-accumulates, in mean squares of a term. */
const RIDGE = 0.02;

/** Share of the time that multiply-accumulates are taken to explain before anything is measured. */
const BY_MACS = 0.7;

/** Time of a model over that of the whole network. */
type Meter = (state: Pick<State, "removed" | "model">) => Promise<number | undefined>;

export class LatencyModel {
  readonly table: LatencyTable;
  readonly #prunable: Prunable;
  readonly #macs: number;
  readonly #groups: ReadonlyMap<string, Group>;
  /** Measured over predicted, at the last stage that was measured. */
  #correction = 1;
  readonly #meter: Meter | undefined;

  private constructor(prunable: Prunable, table: LatencyTable, meter?: Meter) {
    this.table = table;
    this.#meter = meter;
    this.#prunable = prunable;
    this.#macs = sizeAfter(prunable, new Uint8Array(prunable.units.count)).macs;
    this.#groups = new Map(prunable.units.groups.map((group) => [group.id, group]));
  }

  /** Of a table that was measured before. Throws an `option` error where it is of another model. */
  static from(prunable: Prunable, table: LatencyTable, modelHash: string): LatencyModel {
    if (table.modelHash !== modelHash) {
      throw new ShrinkError(
        "option",
        "latency table: was measured on another model, expected one of this file; write it with shrinknet latency",
      );
    }
    return new LatencyModel(prunable, table);
  }

  /**
   * Measures variants for some seconds. Throws a `model` error where nothing can be removed, or a few runs take half a minute.
   */
  static async learn(prunable: Prunable, options: LearnOptions): Promise<LatencyModel> {
    const { runner, clock, modelHash } = options;
    const feeds = fileFeeds(prunable, options.feeds);
    const none = new Uint8Array(prunable.units.count);
    const whole = fileOf(prunable, prunable.model, none);
    const intact = await runner.load(whole);
    const seen: { removed: RemovedUnits; ratio: number }[] = [];
    const times: number[] = [];
    const started = clock();
    try {
      const variants = variantsOf(prunable, options);
      for (const [at, removed] of variants.entries()) {
        const left = PATIENCE - (clock() - started);
        if (left <= 0 && at >= 2) break;
        const cut = await runner.load(fileOf(prunable, stateOf(prunable, removed).model, removed));
        try {
          const pairs = await timeInTurns([intact, cut], feeds, clock, Math.max(0, left / (variants.length - at)));
          if (!pairs) break;
          times.push(median(pairs.before));
          seen.push({ removed, ratio: median(pairs.after) / median(pairs.before) });
        } finally {
          await cut.release();
        }
      }
    } finally {
      await intact.release();
    }
    if (times.length === 0) {
      throw new ShrinkError(
        "model",
        "latency: cannot be learnt, expected units that can be removed and runs of a few seconds at most; see shrinknet inspect",
      );
    }
    const milliseconds = median(times);
    const [ids, unknown] = [termsOf(prunable), { coefficients: [] as number[], error: 0 }];
    const base = {
      format: "shrinknet-latency",
      version: 1,
      modelHash,
      runtime: runner.name,
      milliseconds,
      terms: ids,
    } as const;
    const fit = (of: typeof seen): Promise<number[]> =>
      new LatencyModel(prunable, { ...base, ...unknown }).#fit(of, runner);
    const judges = seen.filter((_, at) => at % JUDGES === JUDGES - 1);
    const judged = new LatencyModel(prunable, {
      ...base,
      coefficients: await fit(seen.filter((one) => !judges.includes(one))),
      error: 0,
    });
    const errors = judges.map(({ removed, ratio }) => Math.abs(judged.#ratio(removed) / ratio - 1));
    const error = errors.length > 0 ? median(errors) : 0;
    const meter: Meter = async ({ model, removed }) => {
      const files = { before: whole, after: fileOf(prunable, model, removed) };
      const pairs = await timeFiles(runner, files, feeds, clock);
      return pairs && median(pairs.after) / median(pairs.before);
    };
    return new LatencyModel(prunable, { ...base, coefficients: await fit(seen), error }, meter);
  }

  /** Milliseconds of one run without these units. */
  predict(removed: RemovedUnits): number {
    const correction = removed.includes(1) ? this.#correction : 1;
    return correction * this.#ratio(removed) * this.table.milliseconds;
  }

  /** Measures the network without these units, which corrects what is predicted from now on. Without a meter it does nothing. */
  async measure({ removed, model }: Pick<State, "removed" | "model">): Promise<void> {
    if (!this.#meter || !removed.includes(1)) return;
    const ratio = await this.#meter({ model, removed });
    if (ratio !== undefined) this.#correction = ratio / this.#ratio(removed);
  }

  #ratio(removed: RemovedUnits): number {
    const terms = this.#terms(removed);
    const departure = terms.reduce((sum, term, at) => sum + term * (this.table.coefficients[at] ?? 0), 0);
    return Math.max(0.01, this.#expected(removed) + departure);
  }

  #expected(removed: RemovedUnits): number {
    return 1 - BY_MACS + (BY_MACS * sizeAfter(this.#prunable, removed).macs) / this.#macs;
  }

  /** By term: what is lacking of the intact network's width, or product of widths, as a share. */
  #terms(removed: RemovedUnits): number[] {
    const kept = new Map([...this.#groups].map(([id, group]) => [id, keptShare(group, removed)]));
    for (const [id, group] of this.#groups) if (isEmptied(group, removed)) kept.set(branchTerm(id), 0);
    return this.table.terms.map((ids) => ids.reduce((product, id) => product * (kept.get(id) ?? 1), 1) - 1);
  }

  /** Ridge least squares of what the expectation leaves. */
  async #fit(
    seen: readonly { readonly removed: RemovedUnits; readonly ratio: number }[],
    runner: Runner,
  ): Promise<number[]> {
    const n = this.table.terms.length;
    const gram = new Float64Array(n * n);
    const slope = new Float64Array(n);
    for (const { removed, ratio } of seen) {
      const terms = this.#terms(removed);
      const rest = ratio - this.#expected(removed);
      for (const [i, a] of terms.entries()) {
        slope[i] = (slope[i] as number) + a * rest;
        for (const [j, b] of terms.entries()) gram[i * n + j] = (gram[i * n + j] as number) + a * b;
      }
    }
    let trace = 0;
    for (let i = 0; i < n; i++) trace += gram[i * n + i] as number;
    for (let i = 0; i < n; i++) gram[i * n + i] = (gram[i * n + i] as number) + (RIDGE * trace) / n + 1e-12;
    const algebra = await Algebra.of(runner);
    const factor = n > 0 ? await algebra.factorise(gram, n) : undefined;
    return factor ? [...(await algebra.solve(factor, slope, 1))] : [];
  }
}

/** The term of a branch that is there, or has gone with all of its group. */
const branchTerm = (id: string): string => `branch of ${id}`;

/** Each group, its branch where it can go whole, and each two groups that share a node. */
function termsOf(prunable: Prunable): string[][] {
  const neighbours = neighboursOf(prunable);
  return prunable.units.groups.flatMap((group, at) => [
    [group.id],
    ...(group.branches ? [[branchTerm(group.id)]] : []),
    ...prunable.units.groups
      .slice(at + 1)
      .filter((other) => neighbours.get(group)?.includes(other))
      .map((other) => [group.id, other.id]),
  ]);
}

/** Each group cut alone, all groups cut alike, and random mixtures, in whole blocks. */
function variantsOf(prunable: Prunable, selection: Selection): RemovedUnits[] {
  const { units } = prunable;
  const { groups, count } = units;
  const random = randomSource(count);
  const variants: RemovedUnits[] = [];
  const cut = (shares: ReadonlyMap<Group, number>): void => {
    const removed = new Uint8Array(count);
    for (const [group, share] of shares)
      removed.fill(1, group.first, group.first + unitsToCut(group, share, selection));
    for (const [group] of shares) for (const unit of unitsInside(units, group, removed)) removed[unit] = 1;
    if (removed.includes(1)) variants.push(removed);
  };
  for (const share of [0.25, 0.5, 0.75]) cut(new Map(groups.map((group) => [group, share])));
  const whole = groups.filter(({ branches }) => branches);
  for (const group of whole) cut(new Map([[group, 1]]));
  if (whole.length > 1) cut(new Map(whole.map((group) => [group, 1])));
  for (let i = 0; i < MIXED; i++) cut(new Map(groups.map((group) => [group, 0.75 * random()])));
  for (let i = 0; i < BY_GROUP; i++) for (const group of groups) cut(new Map([[group, (i + 1) / (BY_GROUP + 1)]]));
  return variants.slice(0, MOST_VARIANTS);
}

function unitsToCut(group: Group, share: number, selection: Selection): number {
  if (group.isWhole) return share >= 0.5 ? group.size : 0;
  const step = stepOf(group, selection);
  const wanted = group.size - step * Math.round(((1 - share) * group.size) / step);
  return Math.max(0, Math.min(wanted, group.size - leastWidth(group, selection)));
}

function keptShare({ first, size }: Group, removed: RemovedUnits): number {
  let gone = 0;
  for (let unit = first; unit < first + size; unit++) gone += removed[unit] as number;
  return 1 - gone / size;
}
