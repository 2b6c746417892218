// To a number of bytes, then to int8 weights by scale and zero point of each output (QuantizeLinear's arithmetic), which shrinknet reads too.
import { writeFile } from "node:fs/promises";
import { evaluate, prune } from "shrinknet";
import { readModel, Tensor, writeModel } from "shrinknet/graph";
import { digits } from "../digits.mjs";

const { file, data, test } = await digits();
const { bytes, summary } = await prune(file, { data, test, targetBytes: { share: 0.5 }, align: 1, latency: false });
const model = readModel(bytes);
const [initializers, nodes] = [new Map(model.graph.initializers), []];
for (const node of model.graph.nodes) {
  const inputs = node.inputs.map((name) => {
    const weight = initializers.get(name);
    if (weight?.dims.length !== 2) return name;
    const columns = weight.dims[1];
    const scales = new Float32Array(columns);
    weight.numbers.forEach((value, at) => {
      scales[at % columns] = Math.max(scales[at % columns], Math.abs(value) / 127);
    });
    const whole = Int8Array.from(weight.numbers, (value, at) => Math.round(value / (scales[at % columns] || 1)));
    initializers.delete(name);
    initializers.set(`${name}_int8`, new Tensor("int8", weight.dims, whole));
    initializers.set(`${name}_scale`, new Tensor("float32", [columns], scales));
    const attributes = { axis: { kind: "int", value: 1 } };
    nodes.push({
      name: `${name}_real`,
      opType: "DequantizeLinear",
      domain: "",
      inputs: [`${name}_int8`, `${name}_scale`],
      outputs: [`${name}_real`],
      attributes,
    });
    return `${name}_real`;
  });
  nodes.push({ ...node, inputs });
}
const quantised = writeModel({ ...model, graph: model.graph.with({ initializers, nodes }) });
const { accuracy, agreement } = {
  ...(await evaluate(quantised, { data: test })),
  ...(await evaluate(quantised, { data: test, against: bytes })).outputs[0],
};
console.log(
  `${file.length} -> ${bytes.length} -> ${quantised.length} bytes; right ${(100 * summary.before.test.accuracy).toFixed(1)} -> ${(100 * summary.after.test.accuracy).toFixed(1)} -> ${(100 * accuracy).toFixed(1)} %, int8 agrees on ${(100 * agreement).toFixed(1)} %`,
);
await writeFile("digits-int8.onnx", quantised);
