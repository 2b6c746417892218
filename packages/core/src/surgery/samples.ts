/** Samples for verification: the first of the calibration data, or made-up ones where there is no data. */

import { slice } from "../data.ts";
import { madeUpSamples } from "../graph/made-up.ts";
import { dimsOf } from "../graph/shapes.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Subject } from "../measure/subject.ts";
import type { Prunable } from "../units/prepare.ts";

const SAMPLES = 64;

/** Inputs by name in batches, for {@link verify}. `samples`: how many, default 64 of the data or 2 made up. */
export function sampleFeeds(
  { model, shapes }: Prunable,
  subject: Subject | undefined,
  samples?: number,
): Record<string, Tensor>[] {
  if (subject) return [{ ...slice(subject.data, 0, samples ?? SAMPLES).inputs }];
  const inputs = model.graph.feeds.map(({ name }) => ({
    name,
    type: shapes.get(name)?.type ?? "float32",
    dims: dimsOf(shapes, name),
  }));
  return [madeUpSamples(inputs, samples ?? 2)];
}
