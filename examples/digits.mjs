// What the examples share: a small network for handwritten digits, trained here in a few seconds, and its samples.
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { nodeRunner } from "@shrinknet/runtime/node";
import { writeModel } from "shrinknet/graph";

/** A 400-60-10 network that knows the digits that it was trained on, as an ONNX file, with samples to choose by and to test on. */
export async function digits() {
  const images = cropped(loadDigits(), 20);
  const data = datasetOf(images, "digits", 0, 2000);
  const { model } = await train(denseModel({ widths: [400, 60, 10], output: "Sigmoid", seed: 1 }), {
    runner: nodeRunner(),
    ...{ data, objective: "sse", batch: 50, rate: 0.01, maxEpochs: 20, seed: 1 },
    done: ({ accuracy = 0 }) => accuracy >= 0.99,
  });
  return { file: writeModel(model), data, test: datasetOf(images, "digits", 5000, 6000) };
}
