import { writeFileSync } from "node:fs";
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { gainChart } from "@shrinknet/report";
import { nodeRunner } from "@shrinknet/runtime";
import { gainCurves, prepare, subjectOf } from "shrinknet";

const runner = nodeRunner();
const data = datasetOf(cropped(loadDigits(), 20), "1,000 digits", 0, 1000);
const { model } = await train(denseModel({ widths: [400, 30, 10], output: "Sigmoid", seed: 1 }), {
  runner,
  data,
  objective: "sse",
  batch: 20,
  rate: 0.004,
  maxEpochs: 40,
  seed: 1,
  done: () => false,
});
const prunable = await prepare(model, runner);
const subject = await subjectOf(prunable, runner, data, "sse");
const [curve] = await gainCurves(subject, {
  units: [13],
  gains: Array.from({ length: 101 }, (_, i) => i / 10).concat(),
});
writeFileSync("docs/figures/walk-gain.svg", gainChart(curve!, { title: "Gain of neuron 13" }));
console.log(curve!.baseline, curve!.removed);
