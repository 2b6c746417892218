import { type Dataset } from "shrinknet";
/** Images[N, side * side] with labels, in a seeded order. */
export interface Digits {
    readonly size: number;
    readonly side: number;
    readonly images: Float32Array;
    readonly labels: Int32Array;
}
/** All digits of the package, shuffled by `seed`. */
export declare function loadDigits(seed?: number): Digits;
/** The middle `side` x `side` pixels of every image. MNIST centres its digits in a 20 x 20 box. */
export declare function cropped(digits: Digits, side: number): Digits;
/** Samples `from` to `to` as a dataset with classes. */
export declare function datasetOf(digits: Digits, source: string, from: number, to: number): Dataset;
/** Fisher-Yates, in place. */
export declare function shuffle<T>(items: T[], random: () => number): void;
//# sourceMappingURL=digits.d.ts.map