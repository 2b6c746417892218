/** How good a model is on data, alone or held to another one. */
import type { Dataset } from "./data/dataset.ts";
import { ShrinkError } from "./errors.ts";
import { outputQuality } from "./measure/evaluation.ts";
import { createEvaluator } from "./measure/evaluator.ts";
import type { ObjectiveOptions } from "./measure/objectives/model-objective.ts";
import { type OpenOptions, openModel } from "./open.ts";
import type { EvaluateSummary } from "./results.ts";
import { sizeOfModel } from "./surgery/size.ts";

export interface EvaluateOptions extends OpenOptions, ObjectiveOptions {
  readonly data: Dataset;
  /** The file that the model is held to: its outputs are what `match` compares with, the default objective then. */
  readonly against?: Uint8Array | undefined;
  /** Names for the summary. */
  readonly names?: { readonly model: string; readonly data: string; readonly against?: string };
}

/** Error and accuracy of a model on data, by output and together. */
export async function evaluate(file: Uint8Array, options: EvaluateOptions): Promise<EvaluateSummary> {
  const { runner, against, names = { model: "", data: "" } } = options;
  const { original, prepared, samples } = await openModel(file, options);
  const other = against && (await openModel(against, options));
  const held = { ...options, ...(other && { objective: options.objective ?? "match", reference: other.prepared }) };
  const missing = other && missingOutput(prepared.model.graph.outputs, other.original.graph.outputs);
  if (missing !== undefined) {
    throw new ShrinkError(
      "model",
      `${names.against ?? "the other model"}: has no output "${missing}", expected the outputs of ${names.model || "the model"}`,
    );
  }
  const evaluator = await createEvaluator(prepared, runner, samples ?? options.data, held);
  const evaluation = await evaluator.evaluate();
  const reference = other && (await evaluator.evaluate(other.prepared.model));
  return {
    ...names,
    samples: evaluator.samples.size,
    objective: evaluator.objective,
    ...evaluation.quality,
    outputs: evaluation.outputs.map(outputQuality),
    ...(reference?.quality.accuracy !== undefined && { accuracyOfOther: reference.quality.accuracy }),
    isOneByOne: evaluator.chunks.length === evaluator.samples.size && evaluator.samples.size > 1,
    ...sizeOfModel(original, prepared.shapes),
    bytes: file.byteLength,
    runner: runner.name,
  };
}

function missingOutput(
  own: readonly { readonly name: string }[],
  others: readonly { readonly name: string }[],
): string | undefined {
  return own.find(({ name }) => !others.some((other) => other.name === name))?.name;
}
