export { inlineFunctions } from "./inline-functions.ts";
export { bodiesOf, carriedTensors, functionsOf } from "./inner-graphs.ts";
export { type ReadOptions, readModel } from "./read.ts";
export { modelChunks, modelSize, writeModel } from "./write.ts";
