import { expect, test } from "vitest";
import { latencyAlong } from "../../src/latency/trajectory.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import type { Runner } from "../../src/runner.ts";
import { prepared } from "../helpers.ts";
import { build } from "../property/networks.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing" } as const;
const { model } = build({
  seed: 4,
  opset: 17,
  inputs: 6,
  layers: [{ ...layer, width: 20, activation: "Relu" as const }],
  outputs: 3,
  end: "linear",
});

test("networks are cut and timed at eighths of a run; a machine that slows down does not bend the curve", async () => {
  let [now, slowness] = [0, 1];
  const runner: Runner = {
    name: "fake",
    async load(file) {
      const [weights] = [...readModel(file).graph.initializers.values()].filter(({ dims }) => dims.length === 2);
      const width = weights?.dims[1] ?? 0;
      return {
        async run() {
          now += width * slowness;
          return {};
        },
        async release() {
          slowness *= 1.1;
        },
      };
    },
  };
  const prunable = await prepared(model);
  const group = prunable.units.groups[0]?.id ?? "";
  const trace = Array.from({ length: 16 }, (_, unit) => ({ group, unit }));
  const options = { runner, feeds: {}, clock: () => now };
  const { original = 0, stages } = await latencyAlong(prunable, writeModel(model), trace, options);
  expect([...stages.keys()]).toEqual([2, 4, 6, 8, 10, 12, 14, 16]);
  for (const [step, latency] of stages) expect(latency / original).toBeCloseTo((20 - step) / 20);
  expect(await latencyAlong(prunable, writeModel(model), [], options)).toEqual({ stages: new Map() });
});
