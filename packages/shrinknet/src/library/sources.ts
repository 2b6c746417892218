/** What the library takes as a model and as data: paths, bytes, arrays. */
import { type Dataset, readModel } from "@shrinknet/core";
import { type Arrays, dataset } from "@shrinknet/data";
import { loadData } from "@shrinknet/data/node";
import { loadModel } from "../files/load-model.ts";
import type { InputShapes } from "../options/shapes.ts";

/** A path, or the bytes of an ONNX file that holds its weights itself. */
export type ModelSource = string | Uint8Array;

/** The path of a data file or folder, a dataset, or arrays by name: `{ x, y }`. */
export type DataSource = string | Dataset | Arrays;

/** The bytes of a model as one file, and what it is called in messages. */
export async function modelOf(
  source: ModelSource,
  shapes?: InputShapes,
): Promise<{ readonly bytes: Uint8Array; readonly name: string; readonly dataFiles: readonly string[] }> {
  if (typeof source !== "string") return { bytes: source, name: "the model", dataFiles: [] };
  const { bytes, dataFiles } = await loadModel(source, shapes);
  return { bytes, name: source, dataFiles };
}

/** The samples of a source; of a folder of images as the model takes them. */
export async function dataOf<T extends DataSource | undefined>(
  source: T,
  model: Uint8Array,
): Promise<Dataset | (undefined extends T ? undefined : never)> {
  if (source === undefined) return undefined as never;
  if (typeof source === "string") return await loadData(source, { shape: readModel(model).graph.feeds[0]?.shape });
  return isDataset(source) ? source : dataset(source);
}

const isDataset = (source: Dataset | Arrays): source is Dataset => typeof (source as Dataset).source === "string";
