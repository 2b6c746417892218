export { type NodeRunnerOptions, nodeRunner } from "./node.ts";
