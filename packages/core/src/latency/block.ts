/**
 * The channel block of a runtime: how many channels its kernels compute at once. A layer whose width is no multiple of it may take
 * far longer than a wider one. It is a property of runtime, processor and threads, so it is measured once.
 */
import { emptyGraph, GraphBuilder } from "../graph/builder.ts";
import { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import { median } from "../util/median.ts";
import { timeInTurns } from "./compare.ts";

const OPSET = 13;
/** Width that all others are held to: a multiple of all blocks. */
const WHOLE = 64;
/** By block that is tried: a width near that one which is a multiple of it and of no larger block. */
const WIDTHS: readonly (readonly [block: number, width: number])[] = [
  [1, 61],
  [2, 62],
  [4, 60],
  [8, 56],
  [16, 48],
];
/** A width that takes more than this share of the whole one's time is not worth having. */
const GAIN = 0.955;

type Kind = "dense" | "separable";

const LAYERS = 4;
const SIDE = 14;
/** Milliseconds for each width and kind of layer. */
const PATIENCE = 120;

/** The smallest block whose multiples are all faster than the next wider one; 1 where every width is. Takes a second or two. */
export async function measureBlock(runner: Runner, clock: () => number): Promise<number> {
  const slow = new Set<number>();
  for (const kind of ["dense", "separable"] as const satisfies Kind[]) {
    for (const [block, width] of WIDTHS) if ((await timeOver(runner, kind, width, clock)) > GAIN) slow.add(block);
  }
  const blocks = WIDTHS.map(([block]) => block);
  const last = blocks.findLastIndex((block) => slow.has(block));
  return blocks[last + 1] ?? 2 * (blocks.at(-1) as number);
}

/** Time of layers of some width over that of the whole one. */
async function timeOver(runner: Runner, kind: Kind, width: number, clock: () => number): Promise<number> {
  const whole = await runner.load(chain(WHOLE, kind));
  const other = await runner.load(chain(width, kind));
  try {
    const narrow = { x: imageOf(width) };
    const pair = [whole, { ...other, run: () => other.run(narrow) }] as const;
    const pairs = await timeInTurns(pair, { x: imageOf(WHOLE) }, clock, PATIENCE);
    return pairs ? median(pairs.after) / median(pairs.before) : 0;
  } finally {
    await whole.release();
    await other.release();
  }
}

function imageOf(width: number): Tensor {
  return new Tensor("float32", [1, width, SIDE, SIDE], new Float32Array(width * SIDE * SIDE).fill(0.5));
}

/** Some layers one after the other: 3x3, or 3x3 by channel and 1x1. */
function chain(width: number, kind: Kind): Uint8Array {
  const b = new GraphBuilder({ opset: OPSET, real: "float32", base: emptyGraph("block") });
  let value = b.input("x", "float32", [1, width, SIDE, SIDE]);
  const conv = (x: string, inputs: number, side: number, group: number): string => {
    const weights = new Float32Array(width * inputs * side * side).fill(1e-3);
    const tensor = b.tensor(new Tensor("float32", [width, inputs, side, side], weights));
    const pads = new Array<number>(4).fill((side - 1) / 2);
    return b.op("Relu", [b.op("Conv", [x, tensor], { pads, group })]);
  };
  for (let layer = 0; layer < LAYERS; layer++) {
    value = kind === "dense" ? conv(value, width, 3, 1) : conv(conv(value, 1, 3, width), width, 1, 1);
  }
  const opsets = new Map([["", OPSET]]);
  return writeModel({ graph: b.graph([value]), irVersion: 8, opsets, metadata: new Map() });
}
