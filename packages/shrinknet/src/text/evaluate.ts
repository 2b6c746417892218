import type { EvaluateSummary, OutputQuality } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { formatCount, formatNumber, formatShare, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

/** What `evaluate` prints. */
export function evaluateText(summary: EvaluateSummary, colors: Colors): string {
  const { model, data, against, samples, error, accuracy, objective, outputs, parameters, macs, bytes } = summary;
  const other = against === undefined ? "its own outputs" : `the outputs of ${against}`;
  const match = objective.split("+").includes("match") ? `; match: distance from ${other}, 1 = their variance` : "";
  const [only] = outputs;
  const agreement = outputs.length === 1 ? only?.agreement : undefined;
  const accuracyOfOther = summary.accuracyOfOther;
  return [
    `${colors.bold(model)} on ${plural(samples, "sample")} of ${data}\n`,
    `error       ${formatNumber(error)} a sample (${objective}${match})\n`,
    accuracy === undefined ? "" : `accuracy    ${formatShare(accuracy, 2)}${otherText(accuracyOfOther, against)}\n`,
    agreement === undefined || against === undefined
      ? ""
      : `agreement   ${formatShare(agreement, 2)} with the same argmax as ${against}\n`,
    `parameters  ${formatCount(parameters)}\nMACs        ${formatCount(macs)} per sample\n`,
    `file size   ${formatCount(bytes)} bytes\n`,
    outputs.length > 1 ? `\n${outputTable(outputs, colors)}` : "",
    summary.isOneByOne ? "Each sample is a run of its own: the model takes no several together.\n" : "",
  ].join("");
}

function otherText(accuracy: number | undefined, name: string | undefined): string {
  return accuracy === undefined || name === undefined ? "" : ` (${name}: ${formatShare(accuracy, 2)})`;
}

/** One line for each output. */
export function outputTable(outputs: readonly OutputQuality[], colors: Colors): string {
  const columns: Column[] = [{ title: "output" }, { title: "objective" }, { title: "error", align: "right" }];
  const hasAccuracy = outputs.some(({ accuracy }) => accuracy !== undefined);
  const hasAgreement = outputs.some(({ agreement }) => agreement !== undefined);
  if (hasAccuracy) columns.push({ title: "accuracy", align: "right" });
  if (hasAgreement) columns.push({ title: "same argmax", align: "right" });
  const share = (value: number | undefined): string => (value === undefined ? "" : formatShare(value, 2));
  const rows = outputs.map(({ name, objective, error, accuracy, agreement }) => [
    ...[name, objective, formatNumber(error)],
    ...(hasAccuracy ? [share(accuracy)] : []),
    ...(hasAgreement ? [share(agreement)] : []),
  ]);
  return table(columns, rows, colors);
}
