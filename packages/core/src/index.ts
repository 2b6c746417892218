export * from "./data.ts";
export * from "./errors.ts";
export * from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export * from "./onnx/index.ts";
export * from "./results.ts";
export * from "./runner.ts";
