/** The paper's experiments: data, networks, training. */
export { cropped, type Digits, datasetOf, loadDigits } from "./digits.ts";
export { type DenseSpec, denseModel } from "./network.ts";
export { type TrainingPlan, train } from "./train.ts";
