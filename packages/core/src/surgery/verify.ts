/**
 * Proof before writing: the smaller file runs beside the gated original and must give the same outputs, but for what rounding
 * does to this very model.
 */

import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { decidedValues } from "../graph/decisions.ts";
import type { Model } from "../graph/graph.ts";
import { type Outcome, runInPieces, type Values, weightsAsInputs } from "../graph/pieces.ts";
import type { Tensor } from "../graph/tensor.ts";
import { valueKinds } from "../graph/value-kinds.ts";
import { columnsOf } from "../measure/objectives/columns.ts";
import { comparedNames } from "../measure/objectives/model-objective.ts";
import { readModel, writeModel } from "../onnx/index.ts";
import type { Verification } from "../results.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import { checkCut } from "./check-cut.ts";
import { differences, judge } from "./differences.ts";
import { fileFeeds, measuredModel, runsAsStored } from "./file.ts";
import type { RemovedUnits } from "./kept.ts";
import { perturbedFeeds, perturbedModel } from "./rounding.ts";
import { together } from "./samples.ts";

/** Weights of the gated original in memory at a time, about. */
const PIECE_BYTES = 2 ** 23;

/** A larger file is not loaded whole, so that its weights are not in memory twice. */
const WHOLE_BYTES = 2 ** 25;

export interface VerifyRequest {
  readonly prunable: Prunable;
  /** The model that the file is held to, with the removed units' gains at 0. */
  readonly original: Model;
  readonly removed: RemovedUnits;
  /** The smaller file. */
  readonly bytes: Uint8Array;
  /** One for each sample. */
  readonly feeds: readonly Values[];
  readonly runner: Runner;
}

/**
 * Runs the smaller file and the gated original on the given samples and compares all outputs, column by column; of outputs that
 * are integers also the reals that they are computed from.
 *
 * @returns the largest difference, and what rounding explains
 * @throws a `verification` error if a difference is far beyond that, or if something that was planned to go is still there
 */
export async function verify({
  prunable,
  original,
  removed,
  bytes,
  feeds,
  runner,
}: VerifyRequest): Promise<Verification> {
  const { units, shapes } = prunable;
  if (removed.includes(1)) checkCut(prunable, removed, measuredModel(prunable, bytes));
  const { others } = valueKinds(original.graph);
  const outputs = original.graph.outputs.map(({ name }) => name).filter((name) => !others.has(name));
  const hidden = comparedNames(prunable).filter(
    (name) => !outputs.includes(name) && original.graph.value(name)?.producer !== undefined,
  );
  const gated = withOutputs(gateModel(original, shapes, units).model, hidden);
  const gains = gainsTensor(
    Float64Array.from(removed, (gone) => 1 - gone),
    units.count,
    realTypeOf(original.graph, shapes),
  );
  // fused, layers of integers are rounded otherwise than the file says
  const optimize = !original.graph.nodes.some(({ opType }) => opType === "QuantizeLinear");
  const runs = together(feeds, prunable, original);
  const withGains = (all: readonly Values[]): Values[] => all.map((feed) => ({ ...feed, [GAINS]: gains }));
  // operators on integers round otherwise than the plain ones that they are read as: the file has run, and what it is read as is compared
  const isReadOtherwise = (prunable.stored?.quantised.size ?? 0) > 0;
  const asked = { outputs, hidden, optimize };
  const stored = runs.map((feed) => fileFeeds(prunable, feed));
  const file = runsAsStored(prunable) ? throwRefusals(await runFile(bytes, asked, runner, stored)) : undefined;
  const reading = (): Model => withOutputs(measuredModel(prunable, bytes), hidden);
  const small =
    file && !isReadOtherwise ? file : throwRefusals(await runInPieces(reading(), runner, runs, PIECE_BYTES));
  const large = throwRefusals(await runInPieces(gated, runner, withGains(runs), PIECE_BYTES));
  const rounded = await runInPieces(
    perturbedModel(gated, prunable.stored),
    runner,
    withGains(perturbedFeeds(runs, prunable.stored)),
    PIECE_BYTES,
  );
  const decided = decidedValues(original.graph, shapes);
  return judge(
    [...outputs, ...hidden].flatMap((name) => {
      if (!large[0]?.[name] || shapes.get(name)?.isVarying) return []; // no tensor, or a length that depends on decisions
      const of = (outcomes: readonly Outcome[]): Tensor[] =>
        outcomes.map((outcome) => (outcome instanceof Error ? undefined : outcome[name]) as Tensor);
      const all = { small: of(small), large: of(large), rounded: of(rounded) };
      return differences(name, all, columnsOf(prunable.model.graph, shapes, name)?.axis, decided.has(name));
    }),
  );
}

function throwRefusals(outcomes: readonly Outcome[]): Values[] {
  return outcomes.map((outcome) => {
    if (outcome instanceof Error) throw outcome;
    return outcome;
  });
}

function withOutputs(model: Model, names: readonly string[]): Model {
  if (names.length === 0) return model;
  const outputs = [...model.graph.outputs, ...names.map((name) => ({ name }))];
  return { ...model, graph: model.graph.with({ outputs }) };
}

interface Asked {
  readonly outputs: readonly string[];
  /** Values that are no outputs. */
  readonly hidden: readonly string[];
  readonly optimize: boolean;
}

/** What the smaller file gives: loaded whole as by whoever ships it, or where that takes too much memory, in pieces. */
async function runFile(
  bytes: Uint8Array,
  { outputs: names, hidden, optimize }: Asked,
  runner: Runner,
  feeds: readonly Values[],
): Promise<Outcome[]> {
  if (bytes.byteLength > WHOLE_BYTES) {
    const model = readModel(bytes);
    const { graph } = weightsAsInputs(model.graph); // loads only if all its types and shapes agree
    await (await runner.load(writeModel({ ...model, graph }), { optimize: false })).release();
    return runInPieces(withOutputs(model, hidden), runner, feeds);
  }
  const session = await runner.load(bytes, { optimize, pack: false });
  const outputs: Values[] = [];
  try {
    for (const feed of feeds) outputs.push(await session.run(feed, names));
  } finally {
    await session.release();
  }
  if (hidden.length === 0) return outputs;
  const more = await runInPieces(withOutputs(readModel(bytes), hidden), runner, feeds);
  return outputs.map((own, at) => ({ ...(more[at] instanceof Error ? {} : more[at]), ...own }));
}
