import { surfacesOf } from "../compensate/surfaces.ts";
import { stateOf } from "../measure/state.ts";
import { nodeId } from "../units/places.ts";
import { type Group, groupOf, type Part } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import { type Criterion, type Joint, type RunStart, type Scorer, type ScoringContext, started } from "./criterion.ts";
import { obs } from "./obs.ts";

/** Units that are measured for a pick where not all are. */
const SHORTLIST = 16;

/**
 * The oracle of a run with compensation: the error of the network without each unit, its consumers fitted again in closed
 * form. Every candidate is a full pass, so by default only the lowest by {@link obs} are measured; `all` measures every one.
 * Certificate: `heuristic` in both, as a candidate is measured with the repair of its own consumers and one ridge, while what
 * is shipped is repaired to the end of the network.
 */
export function repairedOracle(all = false): Criterion {
  const start = (run: RunStart): Scorer => new RepairedCosts(started(obs, run), all);
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    needsMoments: true,
    rival: obs, // what it measures is fitted to the same samples
    certificate: "heuristic",
    start,
    score: (context) => start(context).score(context),
  };
}

/** Measured costs in one run. */
class RepairedCosts implements Scorer {
  readonly #estimate: Criterion;
  readonly #all: boolean;
  #estimates = new Float64Array();
  /** By group: the error with its consumers fitted again and no unit gone. What the fit itself gains is no unit's merit. */
  #before = new Map<Group, number>();

  constructor(estimate: Criterion, all: boolean) {
    this.#estimate = estimate;
    this.#all = all;
  }

  async score(context: ScoringContext): Promise<Float64Array> {
    const { prunable, left, rank = (_, score) => score } = context;
    this.#before = new Map();
    this.#estimates = Float64Array.from(await this.#estimate.score(context));
    const keyOf = (unit: number): number => rank(unit, this.#estimates[unit] as number);
    const measured = this.#all ? left : lowest(left, SHORTLIST, keyOf);
    const scores = new Float64Array(prunable.units.count).fill(Number.POSITIVE_INFINITY);
    for (const unit of measured) scores[unit] = await this.#cost(context, groupOf(prunable.units, unit), [unit]);
    return scores;
  }

  /** The block that the estimate finds, measured. */
  async joint(context: ScoringContext, part: Part, size: number, scores: Float64Array): Promise<Joint> {
    const estimated = await this.#estimate.joint?.(context, part, size, this.#estimates);
    const units = estimated?.units ?? lowest(part.units, size, (unit) => scores[unit] as number);
    return { units, score: await this.#cost(context, part.group, units) };
  }

  async #cost(context: ScoringContext, group: Group, units: readonly number[]): Promise<number> {
    const before = this.#before.get(group) ?? (await errorWithout(context, group, []));
    this.#before.set(group, before);
    return (await errorWithout(context, group, units)) - before;
  }
}

/** The error without more units of a group, their consumers fitted again. */
async function errorWithout(
  { compensator, oracle, evaluator, state }: ScoringContext,
  group: Group,
  units: readonly number[],
): Promise<number> {
  if (!compensator || !oracle || !evaluator) throw new Error("needs the moments of consumers");
  const readers = new Set(group.sinks.map(({ node }) => node));
  const fits = [];
  for (const surface of await surfacesOf(compensator, oracle.activations)) {
    const { family } = surface.known;
    if (!family.layers.some(({ consumer }) => readers.has(nodeId(consumer.node)))) continue;
    fits.push({ family, fit: await surface.fitted(compensator.kind, units) });
  }
  const removed = state.removed.slice();
  for (const unit of units) removed[unit] = 1;
  oracle.evaluations++;
  return (await evaluator.evaluate(stateOf(compensator.withFits(fits), removed).model)).quality.error;
}
