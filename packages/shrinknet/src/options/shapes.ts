/** Shapes of inputs whose file leaves dims free: `--shape NAME=1x3x224x224`. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { ShrinkError, type ValueInfo } from "@shrinknet/core";

/** Dims by input name. */
export type InputShapes = Readonly<Record<string, readonly number[]>>;

/** Adds one `NAME=1x3x224x224` to those before it. */
export function parseShape(text: string, previous: InputShapes = {}): InputShapes {
  const [, name, dims] = /^(.+)=(\d+(?:x\d+)*)$/i.exec(text.trim()) ?? [];
  const numbers = dims?.split(/x/i).map(Number) ?? [];
  if (!name || numbers.some((dim) => dim < 1)) {
    throw new InvalidArgumentError("expected NAME=DIMS of one sample, such as x=1x3x224x224");
  }
  return { ...previous, [name]: numbers };
}

/** Throws an `option` error where a shape belongs to no input or contradicts what the file says. */
export function checkShapes(shapes: InputShapes, feeds: readonly ValueInfo[]): void {
  for (const [name, dims] of Object.entries(shapes)) {
    const feed = feeds.find((candidate) => candidate.name === name);
    if (!feed) {
      throw new ShrinkError(
        "option",
        `--shape ${name}: the model has no such input, expected ${feeds.map((one) => one.name).join(", ")}`,
      );
    }
    const { shape } = feed;
    const fits =
      !shape ||
      (shape.length === dims.length &&
        shape.every(
          (dim, axis) => (axis === 0 && dim === 1) || typeof dim !== "number" || dim < 1 || dim === dims[axis],
        ));
    if (!fits) {
      const wanted = shape.map((dim, axis) => (axis === 0 && dim === 1 ? "N" : (dim ?? "?"))).join("x");
      throw new ShrinkError(
        "option",
        `--shape ${name}=${dims.join("x")}: does not fit the model, expected ${name}=${wanted}`,
      );
    }
  }
}
