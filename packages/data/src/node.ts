/** Data files of every supported form, read into a {@link Dataset}. */
import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { type Dataset, ShrinkError, sizeOf, type Tensor, tensorOf } from "@shrinknet/core";
import { gunzipSync } from "fflate";
import { readCsv } from "./csv.ts";
import { isIdx, readIdx } from "./idx.ts";
import { isNpy, readNpy } from "./npy.ts";
import { isZip, readNpz } from "./npz.ts";
import { readWhole } from "./read-whole.ts";

export interface LoadOptions {
  /**
   * Every input value is multiplied by this and becomes float32: 1 / 255 takes pixels 0..255 to 0..1. Default: inputs
   * stay as the file has them. Labels and targets are never scaled.
   */
  readonly scale?: number | undefined;
  /** Arrays that hold labels or targets, by output; "" for the first output that they fit. Default: `y` and `y_OUTPUT`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

const forms = "Supported: .npz, .npy, .csv, or IDX files as IMAGES or IMAGES,LABELS (each may be gzipped)";

/**
 * Reads a data file:
 * - `.npz`: `x`, or one array per model input, and perhaps `y` or `y_OUTPUT` (integers: classes; floats: targets);
 * - `.npy`: `x` alone;
 * - `images-idx3-ubyte,labels-idx1-ubyte`, or the images alone: `x` is uint8 `[N, rows, columns]`, 0..255;
 * - `.csv`: features, last column the class or target, see {@link readCsv}.
 *
 * The contents decide, then the name. Gzipped files are unpacked. That arrays fit each other and the model is checked
 * by `bindSamples` of shrinknet, not here.
 *
 * Throws a `data` error for a file that is missing, a folder, empty, damaged or of another kind, and an `option` error
 * for a scale that is 0 or not finite.
 */
export async function loadData(path: string, { scale, labels }: LoadOptions = {}): Promise<Dataset> {
  if (scale !== undefined && (!Number.isFinite(scale) || scale === 0)) {
    throw new ShrinkError("option", `scale: got ${scale}, expected a finite number other than 0, such as 0.00392157.`);
  }
  const loaded = path.includes(",") && !existsSync(path) ? await loadPair(path) : await loadFile(path);
  const dataset = labels ? { ...loaded, labelArrays: labels } : loaded;
  if (scale === undefined) return dataset;
  const isLabels = (name: string): boolean =>
    /^(y|labels)(_|$)/.test(name) || Object.values(labels ?? {}).includes(name);
  const inputs = Object.entries(dataset.inputs).map(([name, tensor]) => [
    name,
    isLabels(name) ? tensor : scaled(tensor, scale),
  ]);
  return { ...dataset, inputs: Object.fromEntries(inputs) };
}

async function loadFile(path: string): Promise<Dataset> {
  const bytes = await readBytes(path);
  const source = basename(path);
  const extension = extname(path.replace(/\.gz$/i, "")).toLowerCase();
  if (isZip(bytes)) return fromNpz(readNpz(bytes, source), source);
  if (isNpy(bytes)) return datasetOf(source, readNpy(bytes, `${source}: the array`));
  if (isIdx(bytes) || extension === ".idx" || /\bidx\d-ubyte\b/.test(source)) {
    return datasetOf(source, imagesIn(bytes, source));
  }
  switch (extension) {
    case ".npy":
      return datasetOf(source, readNpy(bytes, `${source}: the array`));
    case ".npz":
      return fail(`${source} is not a zip file, expected the output of numpy.savez. Save it again.`);
    case ".csv":
      return readCsv(bytes, source);
    default:
      return fail(`${source} ends in ${extension || "no known suffix"}, expected the suffix of a data file. ${forms}.`);
  }
}

async function loadPair(path: string): Promise<Dataset> {
  const [imagesPath = "", labelsPath = "", ...rest] = path.split(",").map((part) => part.trim());
  if (!imagesPath || !labelsPath || rest.length > 0) {
    fail(`${path}: expected two files around one comma, IMAGES,LABELS. ${forms}.`);
  }
  const source = basename(imagesPath);
  const labelsName = basename(labelsPath);
  const x = imagesIn(await readBytes(imagesPath), source);
  const y = readIdx(await readBytes(labelsPath), labelsName);
  if (y.dims.length !== 1) {
    fail(`${labelsName} has ${y.dims.length} axes, expected 1 as for labels. Give the files as IMAGES,LABELS.`);
  }
  if (x.dims[0] !== y.dims[0]) {
    fail(
      `${source} has ${x.dims[0]} images but ${labelsName} ${y.dims[0]} labels, expected as many. Pair the right files.`,
    );
  }
  return { ...datasetOf(source, x), labels: Int32Array.from(y.numbers as ArrayLike<number>) };
}

function imagesIn(bytes: Uint8Array, source: string): Tensor {
  const images = readIdx(bytes, source);
  if (images.dims.length < 2) {
    fail(`${source} has 1 axis as labels have, expected images [N, rows, columns]. Give the files as IMAGES,LABELS.`);
  }
  return images;
}

function fromNpz(arrays: Readonly<Record<string, Tensor>>, source: string): Dataset {
  const names = Object.keys(arrays);
  if (names.length === 1 && names[0] === "y") {
    fail(`${source}: found only the array "y", expected "x" or one array for each model input. Save both.`);
  }
  return { source, inputs: arrays };
}

function datasetOf(source: string, x: Tensor): Dataset {
  return { source, inputs: { x } };
}

/** The file's bytes, unpacked if gzipped. */
async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readWhole(path);
  } catch (cause) {
    return fail(unreadable(path, cause as NodeJS.ErrnoException), cause);
  }
  if (bytes.length === 0) fail(`${basename(path)} is empty (0 bytes), expected a data file. ${forms}.`);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    return fail(`${basename(path)}: the gzip data are damaged or cut short. Download or copy the file again.`, cause);
  }
}

function unreadable(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return `${path}: no such file, expected a data file. Check the path.`;
  if (code === "EISDIR") return `${path} is a folder, and folders of images cannot be read yet. ${forms}.`;
  if (code === "ERR_FS_FILE_TOO_LARGE") return `${path} is over 4 GiB, expected less. Save fewer samples.`;
  return `${path} cannot be read (${code ?? message}), expected a readable data file. Check its permissions.`;
}

function scaled(tensor: Tensor, scale: number): Tensor {
  const values = tensor.numbers;
  const result = new Float32Array(sizeOf(tensor.dims));
  for (let at = 0; at < result.length; at++) result[at] = (values[at] as number) * scale;
  return tensorOf("float32", result, tensor.dims);
}

function fail(message: string, cause?: unknown): never {
  throw new ShrinkError("data", message, cause === undefined ? undefined : { cause });
}

export { readWhole };
