/** Learning how long cut variants of a file take, for another run or another machine. */

import { feedOf } from "../data/samples.ts";
import { type OpenOptions, openModel } from "../open.ts";
import { modelHash } from "../plan/plan.ts";
import type { Selection } from "../plan/select.ts";
import { sampleFeeds } from "../surgery/samples.ts";
import { LatencyModel } from "./model.ts";
import type { LatencyTable } from "./table.ts";

export interface MeasureOptions extends OpenOptions, Selection {
  /** Milliseconds, with fractions: `() => performance.now()`. */
  clock(): number;
}

/** Measures cut variants of a model for some seconds: what `prune` takes as `latencyTable`. */
export async function measureLatency(file: Uint8Array, options: MeasureOptions): Promise<LatencyTable> {
  const { prepared, samples } = await openModel(file, options);
  const feeds = samples ? feedOf(samples, 0) : (sampleFeeds(prepared, undefined, 1)[0] ?? {});
  const clock = (): number => options.clock();
  const model = await LatencyModel.learn(prepared, { ...options, clock, feeds, modelHash: modelHash(file) });
  return model.table;
}
