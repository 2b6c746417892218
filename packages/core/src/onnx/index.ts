export { type ReadOptions, readModel } from "./read.ts";
export { modelChunks, writeModel } from "./write.ts";
