import { type Criterion, type Scorer, started } from "../criteria/criterion.ts";

/** The size of a criterion's scores: the field's habit of ranking by |estimate|, to hold the signed one to. */
export function unsigned(criterion: Criterion): Criterion {
  const over = (scorer: Scorer): Scorer => ({ score: async (context) => (await scorer.score(context)).map(Math.abs) });
  return {
    ...criterion,
    name: `${criterion.name}-unsigned`,
    start: (run) => over(started(criterion, run)),
    score: over(criterion).score,
  };
}
