/** Answers in the shape of an output: targets as they are, labels as one-hot rows. */
import { ShrinkError } from "../../errors.ts";
import { allocate, isFloat, reshape, sizeOf, Tensor, tensorOf } from "../../graph/tensor.ts";
import type { OutputInfo } from "./objective.ts";

/** Whether labels fit an output: one for each sample, or for each position of its other axes. */
export function labelsFit({ dims, size }: OutputInfo, labels: Tensor, classAxis: number | undefined): boolean {
  if (labels.dims[0] !== size) return false;
  const perSample = labels.size / size;
  const positions = sizeOf(dims.filter((_, axis) => axis !== classAxis));
  return perSample === positions;
}

/** Number of classes of an output: 2 where one number says how likely the second class is. */
export function classesOf({ dims, classAxis }: OutputInfo): number {
  const length = classAxis === undefined ? 1 : (dims[classAxis] as number);
  return length === 1 ? 2 : length;
}

/**
 * Targets [samples, ...dims]: the output's own, or 1 at each label's class and 0 elsewhere (the label itself where one number
 * says how likely the second class is). Throws a `data` error where they do not fit the output.
 */
export function targetsOf(output: OutputInfo): Tensor {
  const { name, source, answers, dims, type, size, classAxis } = output;
  const shape = `[${["N", ...dims].join(", ")}]`;
  if (!answers) throw new ShrinkError("data", `${source}: no labels for output "${name}", expected an array "y"`);
  if (isFloat(answers.type)) {
    if (answers.size !== size * sizeOf(dims)) {
      throw new ShrinkError(
        "data",
        `${source}: array "y" has shape [${answers.dims.join(", ")}], expected ${shape} like the model's output "${name}"`,
      );
    }
    const like = [size, ...dims];
    return answers.type === type ? reshape(answers, like) : tensorOf(type, answers.numbers, like);
  }
  checkLabels(output);
  const width = sizeOf(dims);
  const oneHot = allocate(type, size * width) as Float32Array;
  const classes = classAxis === undefined ? 1 : (dims[classAxis] as number);
  const inner = classAxis === undefined ? 1 : sizeOf(dims.slice(classAxis + 1));
  const labels = answers.data as Int32Array;
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at] as number;
    if (classes === 1) oneHot[at] = label;
    else oneHot[(Math.floor(at / inner) * classes + label) * inner + (at % inner)] = 1;
  }
  return new Tensor(type, [size, ...dims], oneHot);
}

/** Throws a `data` error for labels that do not fit the output. */
export function checkLabels(output: OutputInfo): void {
  const { name, source, answers, dims, classAxis } = output;
  if (!answers) return;
  if (!labelsFit(output, answers, classAxis)) {
    const positions = dims.filter((_, axis) => axis !== classAxis);
    const expected = positions.some((dim) => dim !== 1) ? `[N, ${positions.join(", ")}]` : "[N]";
    throw new ShrinkError(
      "data",
      `${source}: array "y" has shape [${answers.dims.join(", ")}], expected classes ${expected} for the output "${name}" of ` +
        `shape [${["N", ...dims].join(", ")}]. Save one-hot classes as y.argmax(axis=1), or targets as y.astype('float32').`,
    );
  }
}

/** Throws a `data` error for labels, where they fit the output, that name a class which it does not have. */
export function checkClasses(output: OutputInfo): void {
  const { source, answers, classAxis, size, positions } = output;
  if (answers?.type !== "int32" || !labelsFit(output, answers, classAxis)) return;
  const classes = classesOf(output);
  const labels = answers.data as Int32Array;
  const at = labels.findIndex((label) => label < 0 || label >= classes);
  if (at < 0) return;
  const sample = Math.floor((at * size) / labels.length);
  const fromOne =
    labels[at] === classes && !labels.includes(0) && labels.every((label) => label >= 1 && label <= classes);
  throw new ShrinkError(
    "data",
    `${source}: the label of sample ${positions?.[sample] ?? sample} is ${labels[at]}, expected 0 to ${classes - 1} as the model has ` +
      `${classes} classes. ${fromOne ? "They are numbered from 1 to the number of classes: save y - 1." : "Number the classes from 0, or check that the file belongs to this model."}`,
  );
}
