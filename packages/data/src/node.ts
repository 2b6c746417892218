/**
 * Data files of every supported form, read into a {@link Dataset}.
 *
 * @module @shrinknet/data/node
 */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { type Dataset, ShrinkError, type Tensor } from "@shrinknet/core";
import { gunzipSync } from "fflate";
import { type ArrangeOptions, arranged, imagenetScale } from "./arranged.ts";
import { readCsv } from "./csv.ts";
import { isIdx, readIdx } from "./idx.ts";
import { type ImageOptions, imageLayout, readImages } from "./images.ts";
import { checkInflated } from "./inflated.ts";
import { isNpy, readNpy } from "./npy.ts";
import { isZip, readNpz } from "./npz.ts";
import { readWhole } from "./read-whole.ts";
import { openStored, readRows, type StoredArray } from "./rows.ts";
import { stratified } from "./stratified.ts";

export interface LoadOptions extends ArrangeOptions {
  /** Arrays that hold labels or targets, by output; "" for the first output that they fit. Default: `y` and `y_OUTPUT`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** How the images of a folder become numbers. */
  readonly images?: ImageOptions | undefined;
}

const forms =
  "Supported: .npz, .npy, .csv, IDX files as IMAGES or IMAGES,LABELS (each may be gzipped), or a folder of images";

/**
 * Reads a data file:
 * - `.npz`: `x`, or one array per model input, and perhaps `y` or `y_OUTPUT` (integers: classes; floats: targets);
 * - `.npy`: `x` alone;
 * - `images-idx3-ubyte,labels-idx1-ubyte`, or the images alone: `x` is uint8 `[N, rows, columns]`, 0..255;
 * - a folder of images (PNG, JPEG, WebP): `x` with values 0..1 as the model takes them; sub-folder = class, see `readImages`;
 * - `.csv`: features, last column the class or target, see {@link readCsv}.
 *
 * The contents decide, then the name. Gzipped files are unpacked. That arrays fit each other and the model is checked
 * by `bindSamples` of shrinknet, not here.
 *
 * Throws a `data` error for a file that is missing, empty, damaged or of another kind, a folder without images, and more than
 * memory can hold; an `option` error for a scale that is 0 or not finite, and for options of images beside a file of arrays.
 */
export async function loadData(path: string, options: LoadOptions = {}): Promise<Dataset> {
  const { scale, labels, samples } = options;
  if (scale !== undefined && (!Number.isFinite(scale) || scale === 0)) {
    throw new ShrinkError("option", `scale: got ${scale}, expected a finite number other than 0, such as 0.00392157.`);
  }
  if (samples !== undefined && !(Number.isInteger(samples) && samples >= 1)) {
    throw new ShrinkError("option", `samples: got ${samples}, expected a whole number of 1 or more.`);
  }
  if (await isFolder(path)) return await loadFolder(path, options);
  const { size, preset } = options.images ?? {};
  if ((size || preset) && existsSync(path)) {
    throw new ShrinkError(
      "option",
      `${size ? "size" : "preset"}: is for folders of images, and ${path} is a file; save arrays of the size that the model takes, and give --mean and --std.`,
    );
  }
  const part = samples === undefined ? undefined : await loadPart(path, options);
  if (part) return arranged(part, { ...options, samples: undefined });
  const loaded = path.includes(",") && !existsSync(path) ? await loadPair(path) : await loadFile(path);
  return arranged(labels ? { ...loaded, labelArrays: labels } : loaded, options);
}

/** Bytes; smaller files are read whole. */
const LARGE = 2 ** 26;

/** A part of a large `.npy` or uncompressed `.npz`, drawn before it is read; undefined where it must be read whole. */
async function loadPart(path: string, { samples = 0, seed, labels }: LoadOptions): Promise<Dataset | undefined> {
  const size = await stat(path).then(
    (found) => (found.isFile() ? found.size : 0),
    () => 0,
  );
  if (size < LARGE) return undefined;
  const source = basename(path);
  const stored = await openStored(path, source);
  if (!stored) return undefined;
  const { file, arrays } = stored;
  try {
    const count = Math.max(...[...arrays.values()].map(({ dims }) => dims[0] ?? 0));
    const some = (name: string, array: StoredArray, rows: readonly number[]): Promise<Tensor> =>
      readRows(file, array, rows, `${source}: array "${name}"`);
    const whole = (name: string, array: StoredArray): Promise<Tensor> =>
      some(name, array, [...Array(array.dims[0] ?? 0).keys()]);
    const classes = [...arrays].find(
      ([name, { dims, type }]) => /^(y|labels)$/.test(name) && dims.length === 1 && type !== "float32",
    );
    const known = classes && Array.from((await whole(...classes)).numbers);
    const rows = stratified(known, count, Math.min(samples, count), seed);
    const inputs: Record<string, Tensor> = {};
    for (const [name, array] of arrays)
      inputs[name] = array.dims[0] === count ? await some(name, array, rows) : await whole(name, array);
    return { ...fromNpz(inputs, source), ...(labels && { labelArrays: labels }) };
  } finally {
    await file.close();
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Images are made as the model takes them, 0..1; a scale is of 0..255. */
async function loadFolder(path: string, options: LoadOptions): Promise<Dataset> {
  const { scale, images = {}, shape, layout, samples, seed } = options;
  const found = await readImages(path, {
    ...{ ...images, layout: imageLayout(shape, layout), samples },
    ...(seed !== undefined && { seed }),
  });
  const { mean, std } =
    images.preset === "imagenet"
      ? { ...imagenetScale(imageLayout(shape, layout).channels), ...defined(options) }
      : options;
  const pixels = scale === undefined ? undefined : scale * 255;
  return arranged(found, {
    scale: pixels,
    mean,
    std,
    shape: shape ?? (layout === "NHWC" ? [null, null, null, 3] : undefined),
  });
}

/** Mean and deviation as far as they are given. */
const defined = ({ mean, std }: LoadOptions): ArrangeOptions => ({ ...(mean && { mean }), ...(std && { std }) });

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

/** Bytes of gzip around its data. */
const GZIP_FRAME = 18;

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
  if (bytes.length > GZIP_FRAME) {
    const said = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4).getUint32(0, true); // at the very end
    checkInflated(said, bytes.length, basename(path));
  }
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    return fail(`${basename(path)}: the gzip data are damaged or cut short. Download or copy the file again.`, cause);
  }
}

function unreadable(path: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return `${path}: no such file, expected a data file. Check the path.`;
  if (code === "ENOTFILE") return `${path} is a pipe or a device, expected a data file. Save it as a file first.`;
  if (code === "ERR_FS_FILE_TOO_LARGE") return `${path} is over 4 GiB, expected less. Save fewer samples.`;
  return `${path} cannot be read (${code ?? message}), expected a readable data file. Check its permissions.`;
}

function fail(message: string, cause?: unknown): never {
  throw new ShrinkError("data", message, cause === undefined ? undefined : { cause });
}

export { readWhole };
