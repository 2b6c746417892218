/**
 * Data as people have it, read from bytes: runs in Node and in the browser. Paths and folders: `@shrinknet/data/node`.
 *
 * @module @shrinknet/data
 */
export { readCsv } from "./csv.ts";
export { isIdx, readIdx } from "./idx.ts";
export { isNpy, readNpy, writeNpy } from "./npy.ts";
export { isZip, readNpz, writeNpz } from "./npz.ts";
export { type Arrays, dataset } from "./dataset.ts";
