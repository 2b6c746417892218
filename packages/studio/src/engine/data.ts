/** Data files as a person drops them. */
import { type Dataset, ShrinkError } from "@shrinknet/core";
import { isIdx, isNpy, isZip, readCsv, readIdx, readNpy, readNpz } from "@shrinknet/data";
import type { NamedBytes } from "../backend/backend.ts";

/** A dataset of `.npz`, `.npy`, `.csv` or IDX files (images, and perhaps labels beside them). */
export function datasetOf(files: readonly NamedBytes[]): Dataset {
  const [first, second] = files;
  if (!first) throw new ShrinkError("data", "no file, expected samples as .npz, .npy, .csv or IDX files");
  if (second && isIdx(first.bytes) && isIdx(second.bytes)) {
    const [images, labels] = [first, second]
      .map(({ name, bytes }) => readIdx(bytes, name))
      .sort((a, b) => b.dims.length - a.dims.length) as [ReturnType<typeof readIdx>, ReturnType<typeof readIdx>];
    return { source: first.name, inputs: { x: images, y: labels } };
  }
  const { name: source, bytes } = first;
  if (isZip(bytes)) return { source, inputs: readNpz(bytes, source) };
  if (isNpy(bytes)) return { source, inputs: { x: readNpy(bytes, source) } };
  if (isIdx(bytes)) return { source, inputs: { x: readIdx(bytes, source) } };
  if (/\.(csv|tsv|txt)$/i.test(source)) return readCsv(bytes, source);
  throw new ShrinkError("data", `${source}: is no data file, expected .npz, .npy, .csv or IDX files`);
}
