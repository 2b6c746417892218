import type { Criterion } from "../criteria/criterion.ts";

/** The size of a criterion's scores: the field's habit of ranking by |estimate|, to hold the signed one to. */
export function unsigned(criterion: Criterion): Criterion {
  return {
    ...criterion,
    name: `${criterion.name}-unsigned`,
    score: async (context) => (await criterion.score(context)).map(Math.abs),
  };
}
