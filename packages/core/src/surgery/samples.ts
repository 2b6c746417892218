/** Feeds for verification: of the first calibration samples, or dummy inputs where there is no data. */

import { feedOf } from "../data/samples.ts";
import { isBatched, isFixed, stack } from "../graph/batching.ts";
import { dummyFeeds } from "../graph/dummy-inputs.ts";
import type { Model } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { dimsOf } from "../graph/shapes.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { Prunable } from "../units/prepare.ts";

const SAMPLES = 64;
const DUMMIES = 2;

/** One feed for each sample. `count`: default 64 of the data or 2 dummies. */
export function sampleFeeds(
  { model, shapes }: Prunable,
  evaluator: Evaluator | undefined,
  count: number = evaluator ? SAMPLES : DUMMIES,
): Values[] {
  if (evaluator) {
    const { samples } = evaluator;
    return Array.from({ length: Math.min(count, samples.size) }, (_, n) => feedOf(samples, n));
  }
  const inputs = model.graph.feeds.map(({ name }) => ({
    name,
    type: shapes.get(name)?.type ?? "float32",
    dims: dimsOf(shapes, name),
  }));
  return dummyFeeds(inputs, count);
}

/** The feeds together as far as a file takes them so: one for all, or else each as it is. */
export function together(feeds: readonly Values[], { batching }: Prunable, file: Model): readonly Values[] {
  const isPossible = isBatched(batching) && !isFixed(file.graph, batching) && feeds.length > 1;
  const all = isPossible ? stack(feeds, batching) : undefined;
  return all ? [all] : feeds;
}
