// A small transformer block with random weights: what can be removed from it, kind by kind.
import { inspect, prune } from "shrinknet";
import { emptyGraph, float32, GraphBuilder, int64, writeModel } from "shrinknet/graph";

const [WIDTH, HEADS, HIDDEN, TOKENS] = [24, 4, 48, 6];
let state = 7;
const random = () => {
  state = (state * 16807) % 2147483647;
  return state / 2147483647 - 0.5;
};
const tensor = (...dims) =>
  float32(
    Array.from({ length: dims.reduce((a, b) => a * b) }, () => 1.2 * random()),
    dims,
  );

const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
b.input("x", "float32", ["N", TOKENS, 10]);
const dense = (x, from, to) => b.op("MatMul", [x, b.tensor(tensor(from, to))]);
const normalised = (x) => b.op("LayerNormalization", [x, b.tensor(float32(Array(WIDTH).fill(1)))], { axis: -1 });
const heads = (x, perm) => b.op("Transpose", [b.op("Reshape", [x, b.tensor(int64([0, 0, HEADS, -1]))])], { perm });
let stream = dense("x", 10, WIDTH);
for (let block = 0; block < 2; block++) {
  const seen = normalised(stream);
  const [q, k, v] = [0, 1, 2].map((at) => heads(dense(seen, WIDTH, WIDTH), at === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]));
  const weights = b.op("Softmax", [b.op("MatMul", [q, k])], { axis: -1 });
  const mixed = b.op("Transpose", [b.op("MatMul", [weights, v])], { perm: [0, 2, 1, 3] });
  stream = b.op("Add", [stream, dense(b.op("Reshape", [mixed, b.tensor(int64([0, 0, WIDTH]))]), WIDTH, WIDTH)]);
  stream = b.op("Add", [stream, dense(b.op("Relu", [dense(normalised(stream), WIDTH, HIDDEN)]), HIDDEN, WIDTH)]);
}
const y = dense(normalised(stream), WIDTH, 5);
const graph = b.graph([{ name: y, type: "float32", shape: ["N", TOKENS, 5] }]);
const file = writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() });
const data = { x: tensor(128, TOKENS, 10) };

for (const kinds of [["head"], ["head dimension"], ["neuron"], ["neuron", "head", "width"]]) {
  const { removable } = await inspect(file, { kinds });
  const { summary } = await prune(file, {
    data,
    kinds,
    targetMacs: 1 - 0.3 * removable.macs,
    align: 1,
    latency: false,
  });
  console.log(
    `${kinds.join(", ").padEnd(20)} ${(100 * removable.macs).toFixed(0).padStart(3)} % of the MACs depend on them; 30 % of that gone: error ${summary.after.error.toFixed(3)} of the outputs' variance, verified to ${summary.verified.toExponential(0)}`,
  );
}
