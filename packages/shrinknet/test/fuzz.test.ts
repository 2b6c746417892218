/** Damaged and hostile files: each is read, or refused in a sentence. Seeded, so that a failure can be looked at again. */
import { inspect, type Model, parsePlan, prune, readModel, ShrinkError, Tensor, writeModel } from "@shrinknet/core";
import { readCsv, readIdx, readNpy, readNpz, writeNpy, writeNpz } from "@shrinknet/data";
import { nodeRunner } from "@shrinknet/runtime/node";
import { beforeAll, expect, test } from "vitest";
import { model, node, random } from "../../core/test/support/build.ts";
import { denseModel, samplesFor } from "./support.ts";

const [MODELS, RUN, DATA, PLANS] = [2000, 1000, 1000, 500];
const r = random(15);
const draw = (below: number): number => r.int(below);
const pick = <T>(from: readonly T[]): T => from[draw(from.length)] as T;

/** Whether the work is done, or refused as it should be: anything else is a failure. */
async function isRefused(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof ShrinkError)) throw error;
    expect(error.message.length).toBeGreaterThan(20);
    expect(error.message).not.toMatch(/undefined|\[object/);
    return true;
  }
}

/** Some bytes changed, put in, taken out, or the rest cut off. */
function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Array.from(bytes);
  for (let times = 1 + draw(4); times > 0; times--) {
    const at = draw(copy.length);
    const how = draw(5);
    if (how === 0) copy[at] = draw(256);
    if (how === 1) copy[at] = pick([0, 1, 0x7f, 0x80, 0xff]);
    if (how === 2) copy.splice(at, 1 + draw(8));
    if (how === 3) copy.splice(at, 0, ...Array.from({ length: 1 + draw(8) }, () => draw(256)));
    if (how === 4 && draw(4) === 0) copy.length = Math.max(1, at);
  }
  return Uint8Array.from(copy);
}

const convolutional = (): Model =>
  model({
    inputs: { x: ["N", 2, 6, 6] },
    outputs: ["y"],
    initializers: { k: r.tensor([4, 2, 3, 3]), b: r.tensor([4]), v: r.tensor([4, 3]) },
    nodes: [
      node("Conv", ["x", "k", "b"], ["c"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["c"], ["a"]),
      node("GlobalAveragePool", ["a"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("MatMul", ["f", "v"], ["y"]),
    ],
  });

/** A graph whose bytes are fine and whose meaning is not. */
function twisted({ graph, ...rest }: Model): Model {
  const huge = [-1, 0, 1, 2 ** 31, 2 ** 40, 1e15, 7];
  const names = [...graph.initializers.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs), "", "x", "nobody"];
  const nodes = [...graph.nodes];
  const at = draw(nodes.length);
  const old = nodes[at] as (typeof nodes)[number];
  const how = draw(8);
  if (how === 0) nodes[at] = { ...old, inputs: old.inputs.map((name) => (draw(2) ? pick(names) : name)) };
  if (how === 1)
    nodes[at] = { ...old, opType: pick(["Nothing", "Loop", "Gather", "Softmax", "Reshape", "LSTM", "Split"]) };
  if (how === 2) nodes[at] = { ...old, attributes: { ...old.attributes, group: { kind: "int", value: pick(huge) } } };
  if (how === 3) nodes[at] = { ...old, attributes: { pads: { kind: "ints", value: [pick(huge), pick(huge)] } } };
  if (how === 4) nodes.splice(at, 1);
  if (how === 5) nodes.push({ ...old, name: "\u001b[2J\n\u0000", outputs: ["\u0007 extra"] });
  const shape = [pick(["N", null, 1, 0, -3]), ...Array.from({ length: draw(5) }, () => pick(huge))];
  const inputs = how === 6 ? graph.inputs.map((one) => ({ ...one, shape })) : graph.inputs;
  const initializers = new Map(graph.initializers);
  if (how === 7) initializers.set(pick([...initializers.keys()]), new Tensor("float32", [2, 0], new Float32Array(0)));
  return { ...rest, graph: graph.with({ nodes, inputs, initializers }) };
}

const runner = nodeRunner({ threads: 1 });
let files: readonly Uint8Array[];
let plan: string;
beforeAll(async () => {
  const dense = denseModel([8, 6, 5, 3]);
  files = [writeModel(dense), writeModel(convolutional())];
  const inputs = await samplesFor(dense, 16);
  const { plan: made } = await prune(files[0] as Uint8Array, {
    ...{ runner, data: { source: "made up", inputs }, compensate: "lstsq", budget: { remove: { count: 3 } } },
  });
  plan = JSON.stringify(made);
});

test(`${MODELS} damaged models`, async () => {
  let refused = 0;
  for (let at = 0; at < MODELS; at++) {
    const bytes = damaged(pick(files));
    if (await isRefused(() => writeModel(readModel(bytes)))) refused++;
  }
  expect(refused).toBeGreaterThan(MODELS / 20);
});

test(`${RUN} models of whole bytes that make no sense`, async () => {
  let refused = 0;
  for (let at = 0; at < RUN; at++) {
    const bytes = writeModel(twisted(at % 2 ? convolutional() : denseModel([8, 6, 5, 3])));
    if (await isRefused(() => inspect(bytes, { runner }))) refused++;
  }
  expect(refused).toBeGreaterThan(RUN / 5);
});

test(`${DATA} damaged data files`, async () => {
  const x = r.tensor([5, 3]);
  const text = new TextEncoder().encode("a,b,class\n1,2,0\n3.5,4,1\n-1e3,0,1\n");
  const idx = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  const readers: readonly (readonly [bytes: Uint8Array, read: (bytes: Uint8Array) => unknown])[] = [
    [writeNpy(x), (bytes) => readNpy(bytes, "a.npy")],
    [writeNpz({ x, y: r.tensor([5]) }), (bytes) => readNpz(bytes, "a.npz")],
    [writeNpz({ x }, { level: 6 }), (bytes) => readNpz(bytes, "a.npz")],
    [text, (bytes) => readCsv(bytes, "a.csv")],
    [idx, (bytes) => readIdx(bytes, "a.idx")],
  ];
  let refused = 0;
  for (let at = 0; at < DATA; at++) {
    const [bytes, read] = pick(readers);
    const broken = damaged(bytes);
    if (await isRefused(() => read(broken))) refused++;
  }
  expect(refused).toBeGreaterThan(DATA / 5);
});

test(`${PLANS} damaged plans`, async () => {
  let refused = 0;
  const bytes = new TextEncoder().encode(plan);
  for (let at = 0; at < PLANS; at++) {
    const broken = new TextDecoder().decode(damaged(bytes));
    if (await isRefused(() => parsePlan(broken))) refused++;
  }
  expect(refused).toBeGreaterThan(PLANS / 5);
});
