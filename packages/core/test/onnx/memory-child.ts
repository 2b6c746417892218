/**
 * Reads and writes a model with ~100 MB of weights and prints how far the peak of resident memory rose in each step,
 * in MB. A process of its own, because the peak of a process never falls.
 */
import { readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { modelChunks, readModel, writeModel } from "../../src/onnx/index.ts";
import { bytesOf, delimited } from "../../src/onnx/wire.ts";
import { modelMessage, node } from "./files.ts";

const weightBytes = 100 * 2 ** 20;
/** 9 raw_data, or 4 float_data: the field that holds the weights. */
const field = Number(process.argv[2]);

/** On Linux maxRSS starts at the peak of the parent process, so there we ask the kernel for our own. */
function peak(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS / 1024;
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
}

const steps: Record<string, number> = {};
let before = 0;
const measure = (name: string): void => {
  steps[name] = Math.round(peak() - before);
  before = peak();
};

const file = makeFile();
readModel(makeFile(64));
measure("start");
const model = readModel(file);
measure("read");
const chunks = modelChunks(model);
measure("chunks");
const written = writeModel(model);
measure("write");
process.stdout.write(JSON.stringify({ steps, chunks: chunks.length, bytes: written.byteLength }));

/** A model whose weights are `size` bytes in field `field`, made in one array so that making it adds no peak. */
function makeFile(size = weightBytes): Uint8Array {
  const head = create(TensorProtoSchema, { name: "w", dims: [BigInt(size / 4)], dataType: 1 });
  const data = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(size).finish();
  // The bulk stands at the end of its tensor, its graph and the model, so that nothing but one array is ever filled.
  const bulk = { byteLength: size } as Uint8Array;
  const message = modelMessage({ node: [node("Add", ["x", "w"], ["y"])], initializer: [] });
  const graph = toBinary(GraphProtoSchema, message.graph ?? create(GraphProtoSchema));
  delete message.graph;
  const tensor = delimited(5, [toBinary(TensorProtoSchema, head), data, bulk]);
  const pieces = [toBinary(ModelProtoSchema, message), ...delimited(7, [graph, ...tensor])].slice(0, -1);
  const whole = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0) + size).fill(1);
  let at = 0;
  for (const piece of pieces) {
    whole.set(bytesOf(piece), at);
    at += piece.byteLength;
  }
  return whole;
}
