/** Folders of images as datasets: sub-folder = class, decoded and resized by sharp. Node only. */
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { type Dataset, ShrinkError, Tensor } from "@shrinknet/core";
import { checkRoom } from "./inflated.ts";
import { stratified } from "./stratified.ts";

/** How images become numbers. */
export interface ImageOptions {
  /** Height and width; default: what the model takes, else those of the first image. */
  readonly size?: readonly [height: number, width: number] | undefined;
  /** `imagenet`: the shorter side to 256/224 of the size, the middle of it, and the mean and deviation of ImageNet's channels. */
  readonly preset?: "imagenet" | undefined;
}

/** What a model takes: [N, C, H, W] or [N, H, W, C], numbers where they are known. */
export type ImageShape = readonly (number | string | null)[];

export interface ImageLayout {
  readonly channels: number;
  readonly size: readonly [height: number, width: number] | undefined;
  readonly isChannelsLast: boolean;
}

/** What is known of images from the shape of a model's input; three channels first where nothing is. */
export function imageLayout(shape: ImageShape | undefined, layout?: "NCHW" | "NHWC"): ImageLayout {
  const [, a, b, c] = shape?.length === 4 ? shape : [];
  const isChannels = (dim: unknown): boolean => dim === 1 || dim === 3 || dim === 4;
  const isUsual = (dim: unknown): boolean => dim === 1 || dim === 3;
  const looksLast = isUsual(a) || isUsual(c) ? !isUsual(a) : !isChannels(a) && isChannels(c);
  const isChannelsLast = layout ? layout === "NHWC" : looksLast;
  const [channels, height, width] = isChannelsLast ? [c, a, b] : [a, b, c];
  const isKnown = (dim: unknown): dim is number => typeof dim === "number" && dim > 0;
  return {
    channels: isChannels(channels) ? (channels as number) : 3,
    size: isKnown(height) && isKnown(width) ? [height, width] : undefined,
    isChannelsLast,
  };
}

const SUFFIXES = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/** Images that are read of a larger folder, unless more are asked for. */
const MOST = 2000;
/** The side that is cut out of 256 pixels, by ImageNet's custom. */
const CROPPED = 224 / 256;

/**
 * The images of a folder as `x`, values 0..1, and their classes as labels: sub-folders in the order of their names, from 0. `samples`:
 * a random part with as many of each class as its share; default 2,000 at most.
 *
 * Throws a `data` error for a folder without images, images both beside and inside sub-folders, and a damaged image.
 */
export async function readImages(
  folder: string,
  options: ImageOptions & {
    readonly layout: ImageLayout;
    readonly samples?: number | undefined;
    readonly seed?: number;
  },
): Promise<Dataset> {
  const { files, classes } = await imagesIn(folder);
  const labels = classes && Int32Array.from(files, ({ label }) => label);
  const wanted = Math.min(options.samples ?? MOST, files.length);
  const rows = stratified(labels ? Array.from(labels) : undefined, files.length, wanted, options.seed);
  const sharp = await loadSharp();
  const { channels, isChannelsLast } = options.layout;
  let size = options.size ?? options.layout.size;
  let values = new Float32Array(0);
  for (const [at, row] of rows.entries()) {
    const { path } = files[row] as Found;
    try {
      size ??= await sizeOf(sharp, path);
      if (at === 0) checkRoom(4 * rows.length * channels * size[0] * size[1], `${folder}: as ${rows.length} images`);
      if (at === 0) values = new Float32Array(rows.length * channels * size[0] * size[1]);
      const pixels = await decoded(sharp, path, size, channels, options.preset);
      place(values, at, pixels, size, channels, isChannelsLast);
    } catch (cause) {
      if (cause instanceof ShrinkError) throw cause;
      fail(
        `${path}: cannot be read as an image (${(cause as Error).message}), expected PNG, JPEG or WebP; remove or repair it`,
        cause,
      );
    }
  }
  const [height, width] = size as readonly [number, number];
  const dims = isChannelsLast ? [height, width, channels] : [channels, height, width];
  const source = basename(folder);
  return {
    source,
    inputs: { x: new Tensor("float32", [rows.length, ...dims], values) },
    ...(labels && { labels: Int32Array.from(rows, (row) => labels[row] as number) }),
    ...(wanted < files.length &&
      options.samples === undefined && {
        notes: [`${source}: took ${wanted} of ${files.length} images; --samples takes more or fewer`],
      }),
  };
}

interface Found {
  readonly path: string;
  readonly label: number;
}

async function imagesIn(folder: string): Promise<{ files: Found[]; classes: readonly string[] | undefined }> {
  const entries = await readdir(folder, { withFileTypes: true });
  const isImage = (name: string): boolean => SUFFIXES.has(extname(name).toLowerCase()) && !name.startsWith(".");
  const beside = entries.filter((entry) => entry.isFile() && isImage(entry.name)).map(({ name }) => name);
  const classes: string[] = [];
  const files: Found[] = beside.toSorted().map((name) => ({ path: join(folder, name), label: 0 }));
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  for (const { name } of folders.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const inside = await readdir(join(folder, name), { recursive: true });
    const images = inside.filter(isImage).toSorted();
    if (images.length === 0) continue;
    files.push(...images.map((image) => ({ path: join(folder, name, image), label: classes.length })));
    classes.push(name);
  }
  if (files.length === 0)
    fail(`${folder}: has no images (PNG, JPEG, WebP), expected some, or one folder of them for each class`);
  if (beside.length > 0 && classes.length > 0) {
    fail(
      `${folder}: has images beside the folders of classes (${beside[0]}), expected all in folders of classes, or none`,
    );
  }
  return { files, classes: classes.length > 0 ? classes : undefined };
}

type Sharp = typeof import("sharp").default;

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    return fail("images are decoded by the package sharp, which is not installed; run npm install sharp", cause);
  }
}

async function sizeOf(sharp: Sharp, path: string): Promise<readonly [number, number]> {
  const { width = 0, height = 0 } = await sharp(path).metadata();
  return [height, width];
}

/** Pixels 0..255, row by row, channels last. */
async function decoded(
  sharp: Sharp,
  path: string,
  [height, width]: readonly [number, number],
  channels: number,
  preset: ImageOptions["preset"],
): Promise<Uint8Array> {
  let image = sharp(path, { failOn: "error" }).autoOrient();
  if (preset === "imagenet") {
    const [tall, wide] = [Math.round(height / CROPPED), Math.round(width / CROPPED)];
    const [left, top] = [Math.round((wide - width) / 2), Math.round((tall - height) / 2)];
    image = image.resize(wide, tall, { fit: "cover" }).extract({ left, top, width, height });
  } else image = image.resize(width, height, { fit: "cover" });
  const flat = channels === 4 ? image.ensureAlpha() : image.flatten({ background: "#000" });
  const coloured = channels === 1 ? flat.grayscale() : flat.toColourspace("srgb");
  const raw = await coloured.raw().toBuffer({ resolveWithObject: true });
  if (raw.info.channels !== channels) throw new Error(`has ${raw.info.channels} channels, expected ${channels}`);
  return raw.data;
}

/** Puts one image into its place, from 0..255 to 0..1. */
function place(
  values: Float32Array,
  at: number,
  pixels: Uint8Array,
  [height, width]: readonly [number, number],
  channels: number,
  isChannelsLast: boolean,
): void {
  const [area, start] = [height * width, at * height * width * channels];
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = pixel * channels + channel;
      values[start + (isChannelsLast ? from : channel * area + pixel)] = (pixels[from] as number) / 255;
    }
  }
}

function fail(message: string, cause?: unknown): never {
  throw new ShrinkError("data", message, cause === undefined ? undefined : { cause });
}
