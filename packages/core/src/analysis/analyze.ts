/**
 * Why the estimates fail, measured on one network: along a run that the oracle decides, every criterion's ranking is
 * held to the measured one, and taylor2's error is split into its causes; on the intact network also what pairs of units
 * do to each other.
 */
import type { Criterion, ScoringContext } from "../criteria/criterion.ts";
import { evaluatorIn } from "../criteria/criterion.ts";
import { criterionOf } from "../criteria/index.ts";
import type { Dataset } from "../data/dataset.ts";
import { ShrinkError } from "../errors.ts";
import { createEvaluator, type Evaluator } from "../measure/evaluator.ts";
import type { ObjectiveOptions } from "../measure/objectives/model-objective.ts";
import { openModel } from "../open.ts";
import { type Budget, removalGoal } from "../plan/budget.ts";
import { choose } from "../plan/choose.ts";
import { type Selection, selectGroups } from "../plan/select.ts";
import { modelState } from "../prune.ts";
import type { AnalyzedStep, AnalyzeSummary, Interactions, TellingCurve, UnitCost } from "../results.ts";
import type { Runner } from "../runner.ts";
import type { PrepareOptions } from "../units/prepare.ts";
import { agreementOf, compareRankings } from "./agreement.ts";
import { failureSizes } from "./failure.ts";
import { gainCurves } from "./gain.ts";
import { interactionsOf } from "./interactions.ts";
import { order } from "./rank-agreement.ts";
import { tellingUnits } from "./telling.ts";
import { unitCosts } from "./unit-costs.ts";
import { unsigned } from "./unsigned.ts";

export interface AnalyzeOptions extends Selection, Omit<PrepareOptions, "samples">, ObjectiveOptions {
  readonly runner: Runner;
  readonly data: Dataset;
  /** Criteria to hold to the oracle. Default: {@link analyzedCriteria}, all of them. */
  readonly criteria?: readonly (string | Criterion)[];
  /** How far the oracle run goes; default 60 % of the units. */
  readonly remove?: Budget["remove"];
  /** At how many stages of the run to look, evenly spaced, the intact network among them; default 8. */
  readonly steps?: number;
  /** Most units to pair; default 128. With n units, n (n - 1) / 2 pairs are measured. */
  readonly pairUnits?: number;
  readonly seed?: number;
  /** Name for the summary. */
  readonly name?: string;
  readonly onProgress?: ((doing: string, share: number) => void) | undefined;
  /** When aborted, the analysis ends with a `budget` error: half of it says little. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** Units whose failure is split at one step. */
const SPLIT_UNITS = 256;

/** The criteria that can be analyzed, by name: all but the oracle itself, and the sizes of the signed Taylor estimates. */
export const analyzedCriteria: Readonly<Record<string, Criterion>> = Object.fromEntries(
  [
    ...["taylor1", "taylor2"].map(criterionOf),
    ...["taylor1", "taylor2"].map((name) => unsigned(criterionOf(name))),
    ...["taylor1-mean", "taylor1-median", "taylor2-mean", "taylor2-median"].map(criterionOf),
    ...["taylor-abs", "fisher", "magnitude", "activation", "apoz", "random"].map(criterionOf),
  ].map((criterion) => [criterion.name, criterion]),
);

/** Analyzes a model on data. Nothing is written; the input is never changed. */
export async function analyze(file: Uint8Array, options: AnalyzeOptions): Promise<AnalyzeSummary> {
  const started = Date.now();
  const { runner, seed = 0, minKeep = 1, remove = { share: 0.6 }, pairUnits = 128 } = options;
  const tell = (doing: string, share: number): void => {
    if (options.signal?.aborted) throw new ShrinkError("budget", "interrupted; nothing was written");
    options.onProgress?.(doing, share);
  };
  const criteria = (options.criteria ?? Object.values(analyzedCriteria)).map((criterion) =>
    typeof criterion === "string" ? (analyzedCriteria[criterion] ?? criterionOf(criterion)) : criterion,
  );
  const { original, prepared, samples } = await openModel(file, options);
  const evaluator = await createEvaluator(prepared, runner, samples ?? options.data, options);
  const { prunable } = evaluator;
  const fit = await evaluator.evaluate();
  const baseline = modelState(
    prunable,
    new Uint8Array(prunable.units.count),
    { model: original, bytes: file.byteLength },
    { fit },
  );
  const supply = selectGroups(prunable.units, options).reduce((sum, { size }) => sum + Math.max(0, size - minKeep), 0);
  const planned = Math.min(removalGoal({ remove }, prunable.units.count) ?? 0, supply);
  const wanted = stagesOf(planned, options.steps ?? 8);

  const oracle = criterionOf("oracle");
  const drafts: Omit<AnalyzedStep, "accuracy" | "joint" | "alone">[] = [];
  let alone = new Float64Array(0); // costs on the intact network
  let interactions: Interactions | undefined;
  let [evaluations, removed] = [0, 0];
  const watched: Criterion = {
    ...oracle,
    async score(asked) {
      const isStage = wanted.has(removed); // there every cost matters, elsewhere only the lowest
      const context = isStage ? { ...asked, onlyBest: false } : asked;
      const costs = await oracle.score(context);
      if (isStage) {
        const done = drafts.length + (removed === 0 ? 0 : 1); // the pairs come after the first
        tell(`looking at the network without ${removed} units`, done / (wanted.size + 2));
        if (removed === 0) alone = costs.slice();
        const draft = await lookAt(context, criteria, costs, alone);
        drafts.push({ removed, ...draft });
        if (removed === 0) {
          const found = await interactionsOf(context, costs, draft.costs, {
            most: pairUnits,
            minKeep,
            onProgress: (share) => tell("measuring pairs", (1 + share) / (wanted.size + 2)),
          });
          interactions = found?.interactions;
          evaluations += found?.evaluations ?? 0;
        }
      }
      removed++;
      return costs;
    },
  };
  const budget = { remove: { count: planned } };
  const run = await choose(prunable, evaluator, {
    ...options,
    criterion: watched,
    seed,
    budget,
    onProgress: undefined,
  });

  const steps = drafts.map((draft): AnalyzedStep => {
    const accuracy = (run.trace[draft.removed - 1] ?? baseline).accuracy;
    const gone = run.trace.slice(0, draft.removed).map(({ group, unit }) => {
      const { first } = prunable.units.groups.find(({ id }) => id === group) ?? { first: Number.NaN };
      return alone[first + unit] as number;
    });
    return {
      ...draft,
      ...(accuracy !== undefined && { accuracy }),
      joint: draft.error - (drafts[0]?.error ?? Number.NaN), // measured in the same way, so that 0 is 0
      alone: gone.reduce((sum, cost) => sum + cost, 0),
    };
  });
  return {
    model: options.name ?? "",
    objective: evaluator.objective,
    seed,
    samples: evaluator.samples.size,
    baseline,
    layers: prunable.units.groups.map(({ id, layer, kind, size }) => ({ group: id, layer, kind, size })),
    criteria: criteria.map(({ name }) => name),
    removed: run.trace.length,
    steps,
    ...(interactions && { interactions }),
    curves: await tellingCurves(evaluator, steps[0]?.costs ?? [], (share) =>
      tell("measuring gain curves", (1 + wanted.size + share) / (wanted.size + 2)),
    ),
    evaluations: evaluations + run.evaluations,
    seconds: (Date.now() - started) / 1000,
  };
}

/** Numbers of removals to look at: `count` of 0 to `planned` - 1, evenly spaced from the intact network on. */
export function stagesOf(planned: number, count: number): Set<number> {
  const last = Math.max(0, planned - 1);
  const stages = Math.max(1, Math.min(count, last + 1));
  return new Set(Array.from({ length: stages }, (_, i) => (stages === 1 ? 0 : Math.round((i * last) / (stages - 1)))));
}

/** Everything about single units at one stage. */
async function lookAt(
  context: ScoringContext,
  criteria: readonly Criterion[],
  costs: Float64Array,
  alone: Float64Array,
): Promise<Omit<AnalyzedStep, "removed" | "accuracy" | "joint" | "alone">> {
  const { left, state } = context;
  const error = await context.error();
  const measured = left.map((unit) => costs[unit] as number);
  const ranking = order(measured).map((at) => left[at] as number);
  const split = await unitCosts(evaluatorIn(context), state, evenly(ranking, SPLIT_UNITS), costs);
  return {
    error,
    left: left.length,
    agreement: await agreementOf(context, criteria, costs),
    exactParabola: compareRankings(
      split.map((cost) => cost.measured),
      split.map(({ taylor2, diagonal }) => taylor2 + diagonal),
    ),
    intactCosts: compareRankings(
      measured,
      left.map((unit) => alone[unit] as number),
    ),
    failure: failureSizes(split),
    costs: split,
  };
}

/** At most `most` of them, evenly spaced from the first to the last; ascending. */
function evenly(units: readonly number[], most: number): number[] {
  const picked =
    units.length <= most
      ? [...units]
      : Array.from({ length: most }, (_, i) => units[Math.round((i * (units.length - 1)) / (most - 1))] as number);
  return picked.sort((a, b) => a - b);
}

/** Gain curves from 0 to 2 of the units that tell most, on the intact network. */
async function tellingCurves(
  evaluator: Evaluator,
  costs: readonly UnitCost[],
  onProgress: (share: number) => void,
): Promise<TellingCurve[]> {
  const telling = tellingUnits(costs);
  const { units } = evaluator.prunable;
  const curves = await gainCurves(evaluator, {
    units: telling.map(({ cost }) => {
      const group = units.groups.find(({ id }) => id === cost.group);
      return (group?.first ?? Number.NaN) + cost.unit;
    }),
    gains: Array.from({ length: 41 }, (_, i) => i / 20),
    onProgress: (done, of) => onProgress(done / of),
  });
  return telling.map((reason, i) => ({ ...reason, curve: curves[i] as TellingCurve["curve"] }));
}
