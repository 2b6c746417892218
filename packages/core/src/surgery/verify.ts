/** Proof before writing: the smaller file runs beside the gated original and must give the same outputs. */

import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { ShrinkError } from "../errors.ts";
import { hasFixedBatch } from "../graph/free-batch.ts";
import type { Model } from "../graph/graph.ts";
import { type Outcome, runInPieces, type Values, weightsAsInputs } from "../graph/pieces.ts";
import { sizeOf, Tensor } from "../graph/tensor.ts";
import { readModel, writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import type { RemovedUnits } from "./kept.ts";

/** Rounding in other orders of summation stays below this, relative to the largest output. */
export const VERIFY_TOLERANCE = 1e-4;

/** A larger file is not loaded whole, so that its weights are not in memory twice. */
const WHOLE_BYTES = 2 ** 26;

/**
 * Runs `bytes` (the smaller file) and the original with the removed units' gains at 0 on the given samples.
 *
 * @param original the model as it was read, before any folding
 * @param feeds inputs by name, in batches
 * @returns the largest difference of any output, relative to that output's largest size
 * @throws a `verification` error if that is beyond rounding
 */
export async function verify(
  prunable: Prunable,
  original: Model,
  removed: RemovedUnits,
  bytes: Uint8Array,
  feeds: readonly Readonly<Record<string, Tensor>>[],
  runner: Runner,
): Promise<number> {
  const { units, shapes } = prunable;
  const gated = gateModel(original, shapes, units);
  const type = realTypeOf(original.graph, shapes);
  const gains = gainsTensor(
    Float64Array.from(removed, (gone) => 1 - gone),
    units.count,
    type,
  );
  const samples = hasFixedBatch(original.graph) ? feeds.flatMap(oneByOne) : feeds;
  const small = await runFile(bytes, runner, samples);
  const large = await runInPieces(
    gated.model,
    runner,
    samples.map((feed) => ({ ...feed, [GAINS]: gains })),
  );
  const worst = new Map<string, { difference: number; size: number }>();
  for (const [at, outputs] of large.entries()) {
    const own = small[at];
    if (outputs instanceof Error) throw outputs;
    if (own instanceof Error) throw own;
    for (const { name } of original.graph.outputs) compare(name, own?.[name], outputs[name] as Tensor);
  }
  let largest = 0;
  for (const [name, { difference, size }] of worst) {
    const relative = size > 0 ? difference / size : difference;
    if (!(relative <= VERIFY_TOLERANCE)) {
      throw new ShrinkError(
        "verification",
        `output "${name}": the smaller model differs from the original without its units by ${relative.toExponential(1)} of the largest value, expected at most ${VERIFY_TOLERANCE}; nothing was written, please report this model's structure`,
      );
    }
    largest = Math.max(largest, relative);
  }
  return largest;

  function compare(name: string, small: Tensor | undefined, large: Tensor): void {
    const entry = worst.get(name) ?? { difference: 0, size: 0 };
    worst.set(name, entry);
    if (!small || small.size !== large.size) {
      entry.difference = Number.POSITIVE_INFINITY;
      return;
    }
    const [a, b] = [small.numbers, large.numbers];
    for (let i = 0; i < b.length; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      // the same infinity or NaN on both sides is no difference; NaN on one side is, and stays
      const difference = Object.is(x, y) ? 0 : Math.abs(x - y);
      if (difference > entry.difference || Number.isNaN(difference)) entry.difference = difference;
      if (Number.isFinite(y)) entry.size = Math.max(entry.size, Math.abs(y));
    }
  }
}

/** What the smaller file gives: loaded whole as by whoever ships it, or where that takes too much memory, in pieces. */
async function runFile(bytes: Uint8Array, runner: Runner, feeds: readonly Values[]): Promise<Outcome[]> {
  if (bytes.byteLength > WHOLE_BYTES) {
    const model = readModel(bytes);
    const { graph } = weightsAsInputs(model.graph); // loads only if all its types and shapes agree
    await (await runner.load(writeModel({ ...model, graph }), { optimize: false })).release();
    return runInPieces(model, runner, feeds);
  }
  const session = await runner.load(bytes, { pack: false });
  try {
    const outputs: Values[] = [];
    for (const feed of feeds) outputs.push(await session.run(feed));
    return outputs;
  } finally {
    await session.release();
  }
}

/** A batch as single samples, for a file that takes no more than one. */
function oneByOne(feed: Readonly<Record<string, Tensor>>): Record<string, Tensor>[] {
  const samples = Object.values(feed)[0]?.dims[0] ?? 0;
  return Array.from({ length: samples }, (_, n) => {
    const row = ({ type, dims, data }: Tensor): Tensor => {
      const width = sizeOf(dims.slice(1));
      return new Tensor(type, [1, ...dims.slice(1)], data.slice(n * width, (n + 1) * width));
    };
    return Object.fromEntries(Object.entries(feed).map(([name, tensor]) => [name, row(tensor)]));
  });
}
