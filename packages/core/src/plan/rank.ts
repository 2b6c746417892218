/** From scores to a choice: which units go next. */
import type { Criterion, Joint } from "../criteria/criterion.ts";
import { type Group, type Part, partsByGroup } from "../units/units.ts";
import { isBelow, lowest } from "../util/lowest.ts";

/**
 * Scores that compare over all groups: predicted changes of the error as they are, others divided by the mean size of
 * the group's scores ({@link scaleOf}), so that a layer with large weights is not spared for that alone.
 */
export function comparable(
  criterion: Pick<Criterion, "inErrorUnits">,
  scores: Float64Array,
  groups: readonly Group[],
  left: readonly number[],
): Float64Array {
  if (criterion.inErrorUnits) return scores;
  const result = scores.slice();
  for (const { units } of partsByGroup(groups, left)) {
    const scale = scaleOf(scores, units);
    for (const unit of units) result[unit] = (scores[unit] as number) / scale;
  }
  return result;
}

/** The mean size of the scores of some units of a group; 1 where they are all 0 or no numbers. */
function scaleOf(scores: Float64Array, units: readonly number[]): number {
  const mean = units.reduce((sum, unit) => sum + Math.abs(scores[unit] as number), 0) / units.length;
  return mean > 0 ? mean : 1;
}

/** What {@link Ranking.worst} may be told beside the scores. */
export interface BlockOptions {
  /** How many units of a group go before another group's turn; default 1. */
  readonly size?: (group: Group, left: number) => number;
  /** What a unit of the group costs now where `size` of them go; default 1 for all: then the score alone decides. */
  readonly cost?: (group: Group, size: number) => number;
  /** Which units of a part go best together, and what they score together; default: the lowest, and the sum of their scores. */
  readonly joint?: (part: Part, size: number) => Promise<Joint>;
}

/** The units of a group that would go next, and how they compare with those of other groups. */
interface Block {
  readonly units: readonly number[];
  readonly score: number;
}

/** Units ranked by their scores. Parts of groups that were asked about before are not looked through again. */
export class Ranking {
  readonly scores: Float64Array;
  readonly #inErrorUnits: boolean;
  readonly #known = new WeakMap<Part, Block>();

  constructor({ inErrorUnits }: Pick<Criterion, "inErrorUnits">, scores: Float64Array) {
    this.scores = scores;
    this.#inErrorUnits = inErrorUnits;
  }

  /**
   * The units that go next: of each part `size` units, and of these blocks the one with the lowest {@link comparable} score per
   * unit and cost ({@link perCost}). Of equals the first, by group, then index. A score that is no number goes last. In the
   * order in which they go, with their score together.
   */
  async worst(parts: readonly Part[], { size = () => 1, cost = () => 1, joint }: BlockOptions = {}): Promise<Joint> {
    let worst: { units: readonly number[]; score: number; key: number } | undefined;
    for (const part of parts) {
      if (part.units.length === 0) continue;
      const asked = size(part.group, part.units.length);
      const { units, score } = joint && asked > 1 ? perUnit(await joint(part, asked)) : this.#blockOf(part, asked);
      const key = perCost(score, cost(part.group, units.length));
      if (!worst || isBelow(key, worst.key)) worst = { units, score: score * units.length, key };
    }
    return worst ?? { units: [], score: 0 };
  }

  #blockOf(part: Part, size: number): Block {
    const known = this.#known.get(part);
    if (known?.units.length === size) return known;
    const scoreOf = (unit: number): number => this.scores[unit] as number;
    const units = lowest(part.units, size, scoreOf);
    const mean = units.reduce((sum, unit) => sum + scoreOf(unit), 0) / units.length;
    const block = { units, score: this.#inErrorUnits ? mean : mean / scaleOf(this.scores, part.units) };
    this.#known.set(part, block);
    return block;
  }
}

function perUnit({ units, score }: Joint): Block {
  return { units, score: score / units.length };
}

/**
 * The key of a cost-aware choice: score per cost saved. A unit whose score is not above 0 lowers the error and saves its cost
 * besides: such units go first, by score, as dividing by what they save would put those that save most last.
 */
export function perCost(score: number, cost: number): number {
  if (!(score > 0)) return score;
  return cost > 0 ? score / cost : Number.POSITIVE_INFINITY;
}
