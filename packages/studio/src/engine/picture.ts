/** Samples and weights as pictures. */
import type { Group, Model, Prunable } from "@shrinknet/core";
import type { Picture } from "../backend/backend.ts";

/** How a sample of these dims, without the axis of samples, is looked at; undefined where it is no picture. */
export function pictureOf(dims: readonly number[]): Picture | undefined {
  const own = dims.filter((dim, at) => dim !== 1 || at > 0);
  if (own.length === 3) {
    const [a, b, c] = own as [number, number, number];
    if (a === 1 || a === 3) return { channels: a, height: b, width: c };
  }
  const plane = own.length === 3 ? own.filter((dim) => dim !== 1) : own;
  if (plane.length === 2 && plane.every((dim) => dim >= 8)) {
    return { channels: 1, height: plane[0] as number, width: plane[1] as number };
  }
  const side = Math.sqrt(own[0] ?? 0);
  return own.length === 1 && side >= 8 && Number.isInteger(side)
    ? { channels: 1, height: side, width: side }
    : undefined;
}

/** The weights that make one unit, where they are a picture: of the pixels that a dense layer reads, or kernels side by side. */
export function weightsOf(
  { model }: Pick<Prunable, "model">,
  group: Group,
  unit: number,
  input: Picture | undefined,
): { readonly width: number; readonly height: number; readonly values: readonly number[] } | undefined {
  for (const name of group.root.inputs.slice(1)) {
    const slice = sliceOf(model, group, name, unit);
    if (!slice) continue;
    const { dims, values } = slice;
    const [channels = 1, height = 1, width = 1] = dims;
    if (dims.length === 3 && height > 1 && width > 1) return sideBySide(values, channels, height, width);
    if (dims.length === 1 && input && values.length === input.width * input.height) return { ...input, values };
  }
  return undefined;
}

/** The unit's slice of an initializer, without the axis that counts units. */
function sliceOf({ graph }: Model, group: Group, name: string, unit: number) {
  const tensor = graph.initializers.get(name);
  const place = group.places.find(({ value }) => value === name);
  const index = place?.owners.indexOf(group.first + unit) ?? -1;
  if (!tensor || !place || index < 0 || tensor.dims.length < 2) return undefined;
  const after = tensor.dims.slice(place.axis + 1).reduce((product, dim) => product * dim, 1);
  const length = tensor.dims[place.axis] as number;
  const { numbers } = tensor;
  const values: number[] = [];
  for (let at = 0; at < numbers.length; at++)
    if (Math.floor(at / after) % length === index) values.push(numbers[at] as number);
  return { dims: tensor.dims.filter((_, axis) => axis !== place.axis), values };
}

/** Kernels [channels, height, width] in one row, a column apart; at most 16. */
function sideBySide(values: readonly number[], channels: number, height: number, width: number) {
  const shown = Math.min(16, channels);
  const whole = shown * (width + 1) - 1;
  const row = new Array<number>(whole * height).fill(0);
  for (let c = 0; c < shown; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        row[y * whole + c * (width + 1) + x] = values[(c * height + y) * width + x] as number;
  return { width: whole, height, values: row };
}
