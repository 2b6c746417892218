/** From a stage of pruning to what is written: the types of the file come back where it has half precision. */
import type { Model } from "../graph/graph.ts";
import { narrowed, narrowedFeeds, widened } from "../graph/half-precision.ts";
import type { Values } from "../graph/pieces.ts";
import { modelSize, writeModel } from "../onnx/index.ts";
import type { Prunable } from "../units/prepare.ts";

type Stored = Pick<Prunable, "halves">;

/** The bytes of a model that was made of a prunable one. */
export function fileOf(prunable: Stored, model: Model): Uint8Array {
  return writeModel(storedModel(prunable, model));
}

/** Their number. */
export function fileSizeOf(prunable: Stored, model: Model): number {
  return modelSize(storedModel(prunable, model));
}

/** Feeds as the file takes them. */
export function fileFeeds({ halves }: Stored, feeds: Values): Values {
  return halves ? narrowedFeeds(feeds, halves) : feeds;
}

function storedModel({ halves }: Stored, model: Model): Model {
  return halves ? narrowed(model, halves) : model;
}

/** A file that was read, as it is measured: in float32 where it has half precision. */
export function readingOf(model: Model): Model {
  return widened(model)?.model ?? model;
}
