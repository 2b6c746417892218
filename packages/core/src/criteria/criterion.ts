/** A criterion scores units: lower = remove first. One file per criterion; a user may pass one of their own. */
import type { Compensator } from "../compensate/compensator.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { Oracle } from "../measure/oracle.ts";
import type { State } from "../measure/state.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Part } from "../units/units.ts";

/** What a criterion may look at. */
export interface ScoringContext {
  readonly prunable: Prunable;
  /** The stage of pruning that is scored. */
  readonly state: State;
  /** Units that are left, ascending. */
  readonly left: readonly number[];
  /** Model, data and objective. Criteria that declare `needsData: false` work without. */
  readonly evaluator: Evaluator | undefined;
  /** Error at this stage, measured now if it has not been; NaN without data. */
  error(): Promise<number>;
  readonly oracle: Oracle | undefined;
  /** Of runs that repair the network, or whose criterion asks for it (`needsMoments`). */
  readonly compensator?: Compensator | undefined;
  /**
   * Whether only the unit with the lowest score matters, or with `rank` the lowest of each group: others may get any score
   * above it. Default false.
   */
  readonly onlyBest?: boolean;
  /**
   * What the choice goes by where a unit's cost counts: its score per cost saved, lowest first. Rises with the score, in the
   * same way for all units of a group. Default: the score itself.
   */
  rank?(unit: number, score: number): number;
  /** Uniform numbers in [0, 1) from the run's seed. */
  random(): number;
}

/**
 * How sure a pick is: `exact`, proved best among single removals (by error per cost saved where the goal is a cost);
 * `racing`, best with the chosen probability; `heuristic`, neither.
 */
export type Certificate = "exact" | "racing" | "heuristic";

export interface Criterion {
  readonly name: string;
  /** How sure its picks are when it ranks anew for each; default `heuristic`. */
  readonly certificate?: Certificate;
  /**
   * Whether scores are predicted changes of the error. Those are compared over all groups as they are; other scores are
   * divided by their group's mean first.
   */
  readonly inErrorUnits: boolean;
  /** Whether a score says how much the run's own error will change; default: as `inErrorUnits`. */
  readonly predictsError?: boolean;
  readonly needsData: boolean;
  /** A cheaper criterion that may come to a better end: a run goes by both, and the better result is kept. */
  readonly rival?: Criterion;
  /** Whether it asks for the least-squares moments of consumers; default false. */
  readonly needsMoments?: boolean;
  /**
   * For criteria that remember earlier rankings of a run: what scores in one run, with nothing remembered yet. What it leaves
   * out the criterion does itself.
   */
  start?(run: RunStart): Partial<Scorer>;
  /** Scores by unit for the units in `left`; other entries are ignored. Lower = remove first. */
  score: Scorer["score"];
  /** See {@link Scorer.joint}. */
  joint?: NonNullable<Scorer["joint"]>;
}

/** What scores units. */
export interface Scorer {
  score(context: ScoringContext): Promise<Float64Array> | Float64Array;
  /**
   * Which `size` units of a group go best together, and what they score together, which is not the sum of their own scores: two
   * that say the same cost nothing each, and all together. Asked behind `score`, for the same context. Default: the units with
   * the lowest scores, and the sum of these.
   */
  joint?(context: ScoringContext, part: Part, size: number, scores: Float64Array): Promise<Joint>;
}

/** Units of one group that go together. */
export interface Joint {
  readonly units: readonly number[];
  readonly score: number;
}

/** What a run begins with. */
export interface RunStart {
  readonly prunable: Prunable;
  readonly evaluator: Evaluator | undefined;
}

/** A criterion as it scores in one run. */
export function started(criterion: Criterion, run: RunStart): Criterion {
  const scorer = criterion.start?.(run);
  if (!scorer) return criterion;
  const { score, joint } = scorer;
  return {
    ...criterion,
    ...(score && { score: score.bind(scorer) }),
    ...(joint && { joint: joint.bind(scorer) }),
  };
}

/** The evaluator of a context, for criteria that need data. */
export function evaluatorIn(context: ScoringContext): Evaluator {
  if (!context.evaluator) throw new Error("the criterion needs data but declares needsData: false");
  return context.evaluator;
}
