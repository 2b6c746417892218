import { expect, test } from "vitest";
import { splitOff } from "../../src/graph/fixed-part.ts";
import { int64, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { runner as real } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";

const r = random(5);
const row = int64([2]);
// x and v, and what both read; whether x is above 0 is handed on as truth values
const network = model({
  inputs: { x: ["N", 4], row: { type: "int64", shape: [1] }, v: ["N", 3] },
  outputs: ["y", "z"],
  initializers: { w: r.tensor([4, 3]), zero: tensorOf("float32", [0], []) },
  nodes: [
    node("MatMul", ["x", "w"], ["h"]),
    node("Greater", ["h", "zero"], ["is on"]),
    node("Where", ["is on", "v", "zero"], ["y"]),
    node("Transpose", ["w"], ["turned"], { perm: [1, 0] }),
    node("MatMul", ["y", "turned"], ["back"]),
    node("Gather", ["w", "row"], ["picked"], { axis: 0 }),
    node("Add", ["back", "x"], ["sum"]),
    node("MatMul", ["sum", "w"], ["passed"]),
    node("Mul", ["passed", "picked"], ["z"]),
  ],
});

test("what does not depend on the changing inputs is run once for each of the others, with the same results", async () => {
  const loaded: string[][] = [];
  const runs = [0, 0];
  const whole = await real.load(writeModel(network));
  const split = await splitOff(network, ["v"], {
    ...real,
    async load(file, options) {
      const session = await real.load(file, options);
      const at = loaded.push([]) - 1;
      return {
        ...session,
        run(feeds, fetches) {
          runs[at] = (runs[at] ?? 0) + 1;
          return session.run(feeds, fetches);
        },
      };
    },
  });
  for (const x of [r.tensor([2, 4]), r.tensor([5, 4])]) {
    const run = await split.fix({ x, row });
    for (let i = 0; i < 3; i++) {
      const v = r.tensor([x.dims[0] as number, 3]);
      const [is, should] = [await run({ v }), await whole.run({ x, row, v })];
      for (const name of ["y", "z"]) {
        expect(is[name]?.dims).toEqual(should[name]?.dims);
        expect(closeTo(is[name] as never, should[name] as never)).toBeLessThan(1e-6);
      }
    }
  }
  expect(runs).toEqual([2, 6]);
  await split.release();
  await whole.release();
});
