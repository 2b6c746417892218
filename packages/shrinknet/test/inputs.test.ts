/** What models and data may look like. */
import { Buffer } from "node:buffer";
import { reshape, type Tensor, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bytesOf, DataType, info, modelFile, node as rawNode } from "../../core/test/onnx/files.ts";
import { model, node, random } from "../../core/test/support/build.ts";
import { Workplace } from "./support.ts";

const place = new Workplace();
const { tensor } = random(4);
const x = tensor([12, 2, 3]);
beforeAll(() => {
  place.write("shaped.npz", writeNpz({ x }));
  place.write("flat.npz", writeNpz({ x: reshape(x, [12, 6]) }));
});
afterAll(() => place.remove());

/** Two dense layers on an input of this shape, whose batch and perhaps other dims are free. */
function write(name: string, shape: readonly (number | string)[], nodes: Parameters<typeof node>[]): void {
  const initializers: Record<string, Tensor> = { W1: tensor([6, 4]), W2: tensor([4, 2]) };
  const built = nodes.map((one) => node(...one));
  const layers = [
    node("MatMul", ["flat", "W1"], ["h"]),
    node("Relu", ["h"], ["a"]),
    node("MatMul", ["a", "W2"], ["y"]),
  ];
  const spec = { inputs: { image: shape }, outputs: { y: ["N", 2] }, initializers, nodes: [...built, ...layers] };
  place.write(name, writeModel(model(spec)));
}

test("samples are reshaped to what the model takes, whatever the input is called", async () => {
  write("image.onnx", ["N", 2, 3], [["Flatten", ["image"], ["flat"]]]);
  const lines = await Promise.all(
    ["shaped.npz", "flat.npz"].map(async (data) => {
      const { code, stdout, stderr } = await place.run(`prune image.onnx --data ${data} --remove 2 --out ${data}.onnx`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout.split("\n").filter((line) => line.startsWith("error"));
    }),
  );
  expect(lines[0]).toEqual(lines[1]);
});

test("free dims come from --shape where there is no data", async () => {
  write("free.onnx", ["N", "rows", "columns"], [["Flatten", ["image"], ["flat"]]]);
  await place.fails(
    "inspect free.onnx",
    1,
    /^shrinknet: free.onnx: input "image": axis 1 \(rows\) has no fixed length/,
  );
  expect((await place.run("inspect free.onnx --shape image=1x2x3")).stdout).toContain("4 of 6 units (66.7 %)");
  const prune = "prune free.onnx --criterion magnitude --remove 2 --out free-o.onnx";
  await place.fails(prune, 1, /^shrinknet: free.onnx: input "image": axis 1 \(rows\) has no fixed length/);
  expect((await place.run(`${prune} --shape image=1x2x3`)).code).toBe(0);
  expect((await place.run("prune free.onnx --data shaped.npz --remove 2 --out free-o.onnx")).code).toBe(0);
});

test("weights in another file are brought in", async () => {
  const [w1, w2] = [tensor([6, 4]), tensor([4, 2])];
  const external = (name: string, { dims, size }: Tensor, offset: number) => ({
    ...{ name, dims: dims.map(BigInt), dataType: DataType.FLOAT, dataLocation: 1 },
    externalData: Object.entries({ location: "w.data", offset: `${offset}`, length: `${size * 4}` }).map(
      ([key, value]) => ({ key, value }),
    ),
  });
  const file = modelFile({
    node: [rawNode("MatMul", ["x", "w1"], ["h"]), rawNode("Relu", ["h"], ["a"]), rawNode("MatMul", ["a", "w2"], ["y"])],
    initializer: [external("w1", w1, 0), external("w2", w2, w1.size * 4)],
    input: [info("x", ["N", 6])],
    output: [info("y", ["N", 2])],
  });
  place.write("split.onnx", file);
  await place.fails("inspect split.onnx", 1, /^shrinknet: split.onnx: initializer "w1": its external data "w.data"/);
  place.write("w.data", Buffer.concat([bytesOf(w1.data), bytesOf(w2.data)]));
  const line = "prune split.onnx --data flat.npz --remove 1 --out whole.onnx --plan whole.json --json";
  const { code, stdout } = await place.run(line);
  expect(code).toBe(0);
  const { before, after } = JSON.parse(stdout);
  expect(before.bytes).toBeGreaterThan(32 * 4);
  expect(after.bytes).toBeLessThan(before.bytes);
  expect((await place.run("apply split.onnx whole.json --out again.onnx")).code).toBe(0);
  expect(place.read("again.onnx").equals(place.read("whole.onnx"))).toBe(true);
});
