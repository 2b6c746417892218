/** The objective of a whole model: the sum over its outputs, each by its own objective. */
import type { Samples } from "../../data/samples.ts";
import { ShrinkError } from "../../errors.ts";
import { intAttribute, normalAxis } from "../../graph/attributes.ts";
import { type GraphBuilder, opsetOf } from "../../graph/builder.ts";
import { type Graph, type Node, readsOf } from "../../graph/graph.ts";
import { dependingOnData, type Shapes } from "../../graph/shapes.ts";
import { isFloat, sizeOf, type Tensor } from "../../graph/tensor.ts";
import type { Prunable } from "../../units/prepare.ts";
import { checkClasses, labelsFit } from "./answers.ts";
import { type Columns, columnsOf } from "./columns.ts";
import { objectiveFor, objectiveOf } from "./index.ts";
import { fromSamplesFirst, innerAxis, innerDims, type SampleLayout, samplesFirst } from "./layout.ts";
import type { BoundObjective, Objective, OutputInfo } from "./objective.ts";

/** Which outputs are measured, and by what. */
export interface ObjectiveOptions {
  /** For all outputs, or by output name; others take their default. */
  readonly objective?: string | Objective | Readonly<Record<string, string | Objective>> | undefined;
  /** Outputs that are measured; default: all. */
  readonly outputs?: readonly string[] | undefined;
}

/** One output with its objective. */
export interface OutputTerm {
  /** Name of the model's output. */
  readonly output: string;
  readonly objective: Objective;
  /** The value of the graph that is compared: the output, or one that it is computed from. */
  readonly value: string;
  readonly layout: SampleLayout;
  readonly info: OutputInfo;
  readonly bound: BoundObjective;
  /** Name of the graph input that takes the targets, [N, ...dims]. */
  readonly target: string;
}

/** Values of the original model: [samples, ...inner dims] of each value asked for, in the given layouts. */
export type OriginalValues = (values: readonly { value: string; layout: SampleLayout }[]) => Promise<Tensor[]>;

/** An output, the value that stands for it, and where that has its samples. */
interface Compared {
  readonly output: string;
  readonly value: string;
  readonly layout: SampleLayout;
  readonly isInteger: boolean;
}

/**
 * Binds objectives to a model's outputs. An output of integers, or of a length that differs from sample to sample, is
 * measured by the last reals before it. Throws a `data` error for labels that fit no output, an `option` error for outputs
 * that do not exist, and a `model` error where no output depends on reals.
 */
export async function bindObjectives(
  prunable: Prunable,
  samples: Samples,
  type: "float32" | "float64",
  options: ObjectiveOptions & { readonly like?: readonly OutputTerm[] | undefined },
  original: OriginalValues,
): Promise<OutputTerm[]> {
  const { graph } = prunable.model;
  checkNames(graph, options);
  const wanted = options.outputs ? new Set(options.outputs) : undefined;
  const compared = comparedValues(prunable).filter(({ output }) => !wanted || wanted.has(output));
  const answers = assignAnswers(prunable, compared, samples, type);
  const drafts = compared.map((one) => {
    const info = infoOf(prunable, one, samples, type, answers.get(one));
    return { ...one, info, objective: chosenFor(one.output, info, options) };
  });
  const { objective: asked } = options;
  if (typeof asked === "string" && drafts.length > 0 && drafts.every(({ objective }) => objective.name !== asked)) {
    throw noAnswers(samples.source, drafts[0]?.output as string, asked);
  }
  const terms: OutputTerm[] = [];
  for (const { output, value, layout, info, objective } of drafts) {
    if (objective.needsAnswers && !info.answers) throw noAnswers(samples.source, output, objective.name);
    checkClasses(info);
    const like = options.like?.find((term) => term.output === output && term.objective === objective)?.bound;
    const ask = async (): Promise<Tensor> => (await original([{ value, layout }]))[0] as Tensor;
    const bound = await objective.bind(info, { values: ask, like });
    const before = bound.beforeLast ? lastNode(graph, value)?.inputs[0] : undefined;
    const target = `shrinknet/target${terms.length === 0 ? "" : `/${terms.length}`}`;
    terms.push({ output, objective, value: before ?? value, layout, info, bound, target });
  }
  if (terms.length === 0) {
    throw new ShrinkError(
      "model",
      "model: none of its outputs depends on real numbers computed from its inputs, expected one that can be measured",
    );
  }
  return terms;
}

/** The name of each measured output's objective. */
export function objectivesByOutput(terms: readonly OutputTerm[]): Record<string, string> {
  return Object.fromEntries(terms.map(({ output, objective }) => [output, objective.name]));
}

/** Names of all objectives, each once: `match`, or `cross-entropy+match`. */
export function objectiveName(terms: readonly OutputTerm[]): string {
  return [...new Set(terms.map(({ objective }) => objective.name))].join("+");
}

/** Declares the targets as inputs of a graph. */
export function targetInputs(b: GraphBuilder, terms: readonly OutputTerm[]): void {
  for (const { target, info } of terms) b.input(target, b.real, ["N", ...info.dims]);
}

/** The error of each sample by one output: [N]. `value` has the model's layout. */
export function termError(b: GraphBuilder, { bound, layout, target }: OutputTerm, value: string): string {
  return bound.error(b, samplesFirst(b, value, layout), target);
}

/** What arrives at the values that are compared: derivatives of the sum over samples. */
export function derivativeSeeds(
  b: GraphBuilder,
  terms: readonly OutputTerm[],
): Map<string, { gradient: string; curvature: string }> {
  const seeds = new Map<string, { gradient: string; curvature: string }>();
  for (const { bound, layout, target, value } of terms) {
    const own = bound.derivatives(b, samplesFirst(b, value, layout), target);
    const [gradient, curvature] = [own.gradient, own.curvature].map((one) => fromSamplesFirst(b, one, layout)) as [
      string,
      string,
    ];
    const known = seeds.get(value);
    seeds.set(
      value,
      known
        ? { gradient: b.add(known.gradient, gradient), curvature: b.add(known.curvature, curvature) }
        : { gradient, curvature },
    );
  }
  return seeds;
}

function checkNames(graph: Graph, { objective, outputs = [] }: ObjectiveOptions): void {
  const isByOutput = typeof objective === "object" && !("bind" in objective);
  const known = graph.outputs.map(({ name }) => name);
  for (const name of [...outputs, ...(isByOutput ? Object.keys(objective) : [])]) {
    if (known.includes(name)) continue;
    throw new ShrinkError(
      "option",
      `output "${name}": the model has none of that name, expected one of ${known.join(", ")}`,
    );
  }
}

function chosenFor(output: string, info: OutputInfo, { objective }: ObjectiveOptions): Objective {
  if (objective === undefined) return objectiveFor(info);
  if (typeof objective === "string") {
    const chosen = objectiveOf(objective);
    // labels may belong to some of several outputs: the others are held to the original
    return chosen.needsAnswers && !info.answers && info.size > 0 ? objectiveForOthers(info, chosen) : chosen;
  }
  if ("bind" in objective) return objective as Objective;
  const own = Object.hasOwn(objective, output) ? (objective as Record<string, string | Objective>)[output] : undefined;
  return own === undefined ? objectiveFor(info) : objectiveOf(own);
}

function objectiveForOthers(info: OutputInfo, chosen: Objective): Objective {
  return info.isOnly ? chosen : objectiveFor(info);
}

function noAnswers(source: string, output: string, objective: string): ShrinkError {
  return new ShrinkError(
    "data",
    `${source}: no labels or targets for output "${output}", expected an array "y" for the objective ${objective}; add it or use --objective match`,
  );
}

function noSuchOutput(source: string, output: string, outputs: readonly string[]): ShrinkError {
  return new ShrinkError(
    "data",
    `${source}: labels for the output "${output}", which the model does not have, expected one of ${outputs.join(", ")}; ` +
      "name the array y_NAME after an output, or give --labels NAME=ARRAY",
  );
}

/** Names of the values that are compared where nothing restricts them. */
export function comparedNames(prunable: Prunable): string[] {
  return comparedValues(prunable).map(({ value }) => value);
}

/** The values that are compared, in the order of the outputs; each once. Outputs that no data can change are not. */
function comparedValues({ model: { graph }, shapes, batching }: Prunable): Compared[] {
  const found = new Map<string, Compared>();
  const isBatched = batching.axes.size > 0;
  const isUsable = (name: string): boolean => {
    const shape = shapes.get(name);
    if (!shape || !isFloat(shape.type) || shape.isVarying || sizeOf(shape.dims) === 0) return false;
    return (!isBatched || shape.batchAxis !== undefined) && !graph.initializers.has(name);
  };
  const add = (output: string, value: string, isInteger: boolean): void => {
    const { type, dims, batchAxis } = shapes.get(value) as NonNullable<ReturnType<Shapes["get"]>>;
    const layout = { type, dims, axis: isBatched ? batchAxis : undefined };
    const known = found.get(value);
    if (!known || (known.isInteger && !isInteger)) found.set(value, { output, value, layout, isInteger });
  };
  const fromData = dependingOnData(graph);
  for (const { name } of graph.outputs) {
    if (!fromData.has(name)) continue;
    if (isUsable(name)) add(name, name, false);
    else for (const value of realsBefore(graph, shapes, name, isUsable)) add(name, value, true);
  }
  const order = graph.outputs.map(({ name }) => name);
  return [...found.values()].sort((a, b) => order.indexOf(a.output) - order.indexOf(b.output));
}

/** The nearest usable values that an output is computed from. */
function realsBefore(
  graph: Graph,
  shapes: Shapes,
  output: string,
  isUsable: (name: string) => boolean,
): ReadonlySet<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const walk = (name: string): void => {
    if (seen.has(name) || graph.initializers.has(name) || !graph.value(name)?.producer) return;
    seen.add(name);
    const node = graph.value(name)?.producer as Node;
    if (node.opType === "Shape" || node.opType === "Size") return;
    for (const read of readsOf(node)) {
      if (isUsable(read) && graph.value(read)?.producer) found.add(read);
      else if (shapes.has(read) || graph.value(read)) walk(read);
    }
  };
  walk(output);
  return found;
}

/** The node that makes a value, behind Identity, Dropout and Cast. */
function lastNode(graph: Graph, value: string): Node | undefined {
  const node = graph.value(value)?.producer;
  const isPassing = node && ["Identity", "Dropout", "Cast"].includes(node.opType) && node.domain === "";
  return isPassing && node.inputs[0] ? (lastNode(graph, node.inputs[0]) ?? node) : node;
}

function infoOf(
  prunable: Prunable,
  { output, value, layout, isInteger }: Compared,
  samples: Samples,
  type: "float32" | "float64",
  answers: Tensor | undefined,
): OutputInfo {
  const { graph } = prunable.model;
  const dims = innerDims(layout);
  const last = lastNode(graph, value);
  const own = isInteger ? graph.value(output)?.producer : last;
  const stated = classAxisStated(own, opsetOf(prunable.model), layout);
  const draft: OutputInfo = {
    name: output,
    source: samples.source,
    type,
    dims,
    lastOperator: last?.opType,
    classAxis: stated,
    columnAxis: undefined,
    columnParts: [],
    answers,
    size: samples.size,
    positions: samples.positions,
    isOnly: graph.outputs.length === 1,
  };
  return {
    ...draft,
    classAxis: classAxisFor(draft, layout),
    ...columnInfo(columnsOf(graph, prunable.shapes, value), layout),
  };
}

/** Of columns that all mean the same there is nothing to tell apart. */
function columnInfo(
  columns: Columns | undefined,
  layout: SampleLayout,
): Pick<OutputInfo, "columnAxis" | "columnParts"> {
  const columnAxis = columns && innerAxis(layout, columns.axis);
  const isOneKind = columns?.parts.length === 1 && columns.parts[0]?.isOneKind;
  if (columnAxis === undefined || isOneKind) return { columnAxis: undefined, columnParts: [] };
  return { columnAxis, columnParts: columns?.parts ?? [] };
}

/** The axis that a Softmax or ArgMax runs over. */
function classAxisStated(node: Node | undefined, opset: number, layout: SampleLayout): number | undefined {
  if (!node || !["Softmax", "LogSoftmax", "ArgMax"].includes(node.opType)) return undefined;
  const isSoftmax = node.opType.endsWith("Softmax");
  const fallback = isSoftmax ? (opset >= 13 ? -1 : 1) : 0;
  const axis = normalAxis(intAttribute(node, "axis", fallback), layout.dims.length);
  return innerAxis(layout, axis);
}

/** The class axis: as stated, else axis 1 of [N, C, ...], else the last; of these the first that labels fit. */
function classAxisFor(info: OutputInfo, layout: SampleLayout): number | undefined {
  const { classAxis, dims, answers } = info;
  if (dims.length === 0) return undefined;
  const last = dims.length - 1;
  const second = Math.min(innerAxis(layout, 1) ?? last, last);
  const likely = [...(classAxis === undefined ? [] : [classAxis]), second, last, 0];
  if (answers?.type !== "int32") return classAxis ?? (dims.length === 1 ? 0 : undefined);
  return likely.find((axis) => labelsFit(info, answers, axis)) ?? likely[0];
}

/** Which labels or targets belong to which compared value. */
function assignAnswers(
  prunable: Prunable,
  compared: readonly Compared[],
  samples: Samples,
  type: "float32" | "float64",
): Map<Compared, Tensor> {
  const assigned = new Map<Compared, Tensor>();
  const { "": any, ...named } = samples.answers;
  const outputs = prunable.model.graph.outputs.map(({ name }) => name);
  for (const [name, tensor] of Object.entries(named)) {
    if (!outputs.includes(name)) throw noSuchOutput(samples.source, name, outputs);
    const own = compared.find(({ output }) => output === name);
    if (own) assigned.set(own, tensor);
  }
  if (any) {
    const rest = compared.filter((one) => !assigned.has(one));
    const fitting = rest.find((one) => {
      const info = infoOf(prunable, one, samples, type, any);
      if (any.type !== "int32") return any.size === samples.size * sizeOf(info.dims);
      return labelsFit(info, any, info.classAxis);
    });
    const first = fitting ?? rest[0]; // which says what does not fit
    if (first) assigned.set(first, any);
  }
  return assigned;
}
