import { calibration } from "../compensate/calibration.ts";
import type { Surface } from "../compensate/surface.ts";
import { surfacesOf } from "../compensate/surfaces.ts";
import { type Group, groupOf, type Part } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import type { Criterion, Joint, Scorer, ScoringContext } from "./criterion.ts";

/** Beside the units of a block so many times as many are looked at to find those that go well together. */
const FIELD = 2;

/**
 * The least-squares cost of a removal: by how much the squared error of its consumers' outputs would rise, at best, if
 * they were fitted again without it, times what the network's output notices of such an error. That is half the squared
 * change of the network's outputs to be expected, a mean over samples, so scores compare over all groups; how far that
 * expectation is off is measured for each group now and then ({@link calibration}). It is the step of optimal brain surgeon
 * (Hassibi and Stork 1993) for a block of weights w of a layer: w' ((H^-1) of w)^-1 w, with H the covariance of the layer's
 * input. No candidate is run. Readers that cannot be fitted count by what the removal changes to first order; where no derivative
 * passes, units that only they read have no score and go last.
 */
export const obs: Criterion = {
  name: "obs",
  inErrorUnits: true,
  predictsError: false, // but the change of the outputs
  needsData: true,
  needsMoments: true,
  start: () => new LeastSquaresCosts(),
  score: (context) => new LeastSquaresCosts().score(context),
};

/** Consumers' surfaces and what else the costs of one stage are made of. */
interface Stage {
  readonly parts: readonly { readonly surface: Surface; readonly importance: Float64Array }[];
  readonly effects: Float64Array | undefined;
  readonly factors: ReadonlyMap<Group, number>;
}

/** The costs in one run. */
class LeastSquaresCosts implements Scorer {
  #stage: Stage = { parts: [], effects: undefined, factors: new Map() };
  /** By group: the block that was found, and what it was found by. */
  readonly #blocks = new Map<Group, { readonly by: readonly unknown[]; readonly joint: Joint }>();

  async score({ prunable, left, compensator, oracle, evaluator }: ScoringContext): Promise<Float64Array> {
    if (!compensator || !oracle || !evaluator) throw new Error("obs needs the moments of consumers");
    const { activations } = oracle;
    const scores = new Float64Array(prunable.units.count);
    const parts: { surface: Surface; importance: Float64Array }[] = [];
    for (const surface of await surfacesOf(compensator, activations)) {
      const { family, moments } = surface.known;
      const sensitivity = await compensator.sensitivityOf(family, activations);
      if (!sensitivity) continue;
      const rows = moments.reduce((sum, one) => sum + one.rows, 0);
      const factor = 1 / (2 * rows);
      parts.push({ surface, importance: sensitivity.map((value) => factor * value) });
    }
    const effects = await compensator.effectsOf(activations);
    const factors = await calibration(compensator, activations, parts, effects);
    this.#stage = { parts, effects, factors };
    const known = new Set(effects ? left : parts.flatMap(({ surface }) => surface.units));
    for (const { surface, importance } of parts) {
      for (const [unit, cost] of surface.costs(importance)) scores[unit] = (scores[unit] as number) + cost;
    }
    for (const unit of left) {
      const factor = factors.get(groupOf(prunable.units, unit)) ?? 1;
      scores[unit] = known.has(unit) ? factor * ((scores[unit] as number) + (effects?.[unit] ?? 0)) : Number.NaN;
    }
    return scores;
  }

  /** Units are eliminated one after the other from the surfaces, so that each costs what it does without those before it. */
  joint(_: ScoringContext, { group, units }: Part, size: number, scores: Float64Array): Promise<Joint> {
    const { parts, effects, factors } = this.#stage;
    const own = parts.filter(({ surface }) => units.some((unit) => surface.has(unit)));
    const by = [units, size, factors, ...own.flatMap(({ surface }) => [surface, surface.version])];
    const known = this.#blocks.get(group);
    if (known && isSame(known.by, by)) return Promise.resolve(known.joint);
    const field = lowest(units, FIELD * size + 2, (unit) => scores[unit] as number);
    const trials = own.map(({ surface, importance }) => surface.trial(field, importance));
    const costOf = (unit: number): number =>
      Number.isNaN(scores[unit])
        ? Number.NaN
        : trials.reduce((sum, trial) => sum + trial.costOf(unit), effects?.[unit] ?? 0);
    const rest = new Set(field);
    const block: number[] = [];
    let cost = 0;
    while (block.length < size && rest.size > 0) {
      const costs = new Map([...rest].map((unit) => [unit, costOf(unit)]));
      const [next] = lowest([...rest], 1, (unit) => costs.get(unit) as number) as [number];
      cost += costs.get(next) as number;
      for (const trial of trials) trial.take(next);
      rest.delete(next);
      block.push(next);
    }
    const joint = { units: block, score: (factors.get(group) ?? 1) * cost };
    this.#blocks.set(group, { by, joint });
    return Promise.resolve(joint);
  }
}

function isSame(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}
