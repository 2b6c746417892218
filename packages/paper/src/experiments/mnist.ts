/** Handwritten digits for the experiments: 5,000 to train and calibrate, 5,000 others to test. */
import { type Dataset, float32 } from "@shrinknet/core";
import { cropped, type Digits, datasetOf, loadDigits } from "../digits.ts";
import type { Samples } from "./experiment.ts";

/** Ten classes, the middle 20 x 20 pixels (MNIST centres its digits in such a box), in [0, 1]. */
export function digitSamples(seed: number): Samples {
  return halves(cropped(loadDigits(seed), 20), "digits");
}

/** One digit (class 0) against the rest (class 1), 28 x 28 pixels as they are stored: 0 to 255. */
export function oneDigitSamples(digit: number, seed: number): Samples {
  const digits = loadDigits(seed);
  const labels = digits.labels.map((label) => (label === digit ? 0 : 1));
  const { calibration, test } = halves({ ...digits, labels }, `digit ${digit} or not`);
  return { calibration: rawPixels(calibration), test: rawPixels(test) };
}

function halves(digits: Digits, name: string): Samples {
  const half = digits.size / 2;
  return {
    calibration: datasetOf(digits, `${name}, calibration`, 0, half),
    test: datasetOf(digits, `${name}, test`, half, digits.size),
  };
}

/** The package stores pixels divided by 255, rounded to three decimals. */
function rawPixels(data: Dataset): Dataset {
  const inputs = Object.entries(data.inputs).map(([name, { data: pixels, dims }]) => {
    return [
      name,
      float32(
        (pixels as Float32Array).map((pixel) => Math.round(pixel * 255)),
        dims,
      ),
    ];
  });
  return { ...data, inputs: Object.fromEntries(inputs) };
}
