/** What the array `y` means: classes or float targets. */
import { type Dataset, isFloat, reshape, ShrinkError, type Tensor, tensorOf } from "shrinknet";

/**
 * Integers `[N]` or `[N, 1]` are labels; floats are targets, `[N]` as `[N, 1]`, in float32 or float64.
 *
 * Throws a `data` error for other shapes and for labels beyond 32 bits. `where` opens the message.
 */
export function answersOf(y: Tensor, where: string): Pick<Dataset, "labels" | "targets"> {
  const [count, width = 1] = y.dims;
  const shape = `[${y.dims.join(", ")}]`;
  if (count === undefined) {
    fail(`${where} is a single number, expected classes [N] or targets [N, ...]. Save one answer for each sample.`);
  }
  if (isFloat(y.type)) {
    const targets = y.type === "float32" || y.type === "float64" ? y : tensorOf("float32", y.numbers, y.dims);
    return {
      targets: y.dims.length === 1 ? reshape(targets, [count, 1]) : targets,
    };
  }
  if (y.dims.length > 2 || width !== 1) {
    fail(
      `${where} is ${y.type} ${shape}, expected classes [N]. Save one-hot classes as y.argmax(axis=1), or targets as ` +
        "y.astype('float32').",
    );
  }
  const values = Float64Array.from(y.numbers);
  const at = values.findIndex((value) => value !== (value | 0));
  if (at >= 0) {
    fail(`${where} holds the label ${values[at]} for sample ${at}, expected a class number. Number classes from 0.`);
  }
  return { labels: Int32Array.from(values) };
}

function fail(message: string): never {
  throw new ShrinkError("data", message);
}
