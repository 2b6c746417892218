/** Samples for verification: the first of the calibration data, or made-up ones where there is no data. */

import { slice } from "../data.ts";
import { allocate, sizeOf, Tensor } from "../graph/tensor.ts";
import type { Subject } from "../measure/subject.ts";
import type { Prunable } from "../units/prepare.ts";
import { randomSource } from "../util/random.ts";

const SAMPLES = 64;

/** Inputs by name in batches, for {@link verify}. `samples`: how many, default 64 of the data or 2 made up. */
export function sampleFeeds(
  { model, shapes }: Prunable,
  subject: Subject | undefined,
  samples?: number,
): Record<string, Tensor>[] {
  if (subject) return [{ ...slice(subject.data, 0, samples ?? SAMPLES).inputs }];
  const random = randomSource(1);
  const feeds: Record<string, Tensor> = {};
  for (const { name } of model.graph.feeds) {
    const { type, dims } = shapes.get(name) ?? { type: "float32" as const, dims: [1] };
    const shape = [samples ?? 2, ...dims.slice(1)];
    const data = allocate(type, sizeOf(shape));
    if (type === "float32" || type === "float64")
      (data as Float64Array).forEach((_, i) => {
        (data as Float64Array)[i] = random() * 2 - 1;
      });
    feeds[name] = new Tensor(type, shape, data);
  }
  return [feeds];
}
