/** The reference evaluator behind the Runner interface. */
import { readModel } from "../../src/onnx/index.ts";
import type { Runner } from "../../src/runner.ts";
import { evaluate } from "./reference.ts";

/** Runs models in float64 by plain loops; floating results are float64 tensors. */
export function referenceRunner(): Runner {
  return {
    name: "reference evaluator, float64",
    async load(bytes) {
      const model = readModel(bytes);
      return {
        run: async (feeds, fetches) => evaluate(model, feeds, fetches),
        release: async () => {},
      };
    },
  };
}
