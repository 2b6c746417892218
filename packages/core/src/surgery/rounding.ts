/** What rounding alone does to a model: the same model with every real number one unit in the last place up or down. */
import type { Graph, Model } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { HALF_DIGITS, type Stored } from "../graph/stored-types.ts";
import { type ElementType, isFloat, Tensor } from "../graph/tensor.ts";
import { randomSource } from "../util/random.ts";

/**
 * Operators that read some reals as they are, from this input on: lengths, what is looked for, and exponents, as only whole ones
 * are defined for negative numbers.
 */
const EXACT_FROM: Readonly<Record<string, number>> = { Range: 0, Resize: 1, Upsample: 1, Pow: 1, Equal: 0, Mod: 1 };

/** The model with perturbed weights, by what is kept of them in half precision. They are made when they are read. */
export function perturbedModel(model: Model, stored?: Stored): Model {
  const { graph } = model;
  const exact = new Set(graph.nodes.flatMap(({ opType, inputs }) => inputs.slice(EXACT_FROM[opType] ?? inputs.length)));
  const initializers = new Map(
    [...graph.initializers].map(([name, tensor], at) => [
      name,
      exact.has(name) ? tensor : perturbed(tensor, at, digitsOf(name, tensor.type, stored)),
    ]),
  );
  return { ...model, graph: graph.with({ initializers }) as Graph };
}

/** Feeds with perturbed reals. */
export function perturbedFeeds(feeds: readonly Values[], stored?: Stored): Values[] {
  return feeds.map((feed) =>
    Object.fromEntries(
      Object.entries(feed).map(([name, tensor], at) => [
        name,
        perturbed(tensor, at, digitsOf(name, tensor.type, stored)),
      ]),
    ),
  );
}

/** Digits of the fraction: one unit in the last place of x is about x times 2 to the minus that. */
const DIGITS: Partial<Record<ElementType, number>> = { float64: 52, float32: 23 };

/** Of a value: what the file keeps of it. */
function digitsOf(name: string, type: ElementType, stored: Stored | undefined): number | undefined {
  const was = stored?.packed.get(name)?.inputs[0]?.type ?? stored?.types.get(name);
  return type === "float32" && (was === "float16" || was === "bfloat16") ? HALF_DIGITS[was] : DIGITS[type];
}

function perturbed(tensor: Tensor, seed: number, digits: number | undefined): Tensor {
  if (isFloat(tensor.type) && digits === undefined) return perturbedBits(tensor, seed);
  if (digits === undefined) return tensor;
  return new Tensor(tensor.type, tensor.dims, () => {
    const random = randomSource(seed);
    const values = (tensor.data as Float64Array).slice();
    const step = 2 ** -digits;
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * (random() < 0.5 ? 1 - step : 1 + step);
    return values;
  });
}

/** Half precision is stored as bits, whose last one is the last place. */
function perturbedBits(tensor: Tensor, seed: number): Tensor {
  return new Tensor(tensor.type, tensor.dims, () => {
    const random = randomSource(seed);
    const bits = (tensor.data as Uint16Array).slice();
    for (let i = 0; i < bits.length; i++) {
      const size = (bits[i] as number) & 0x7fff;
      if (size > 0 && size < 0x7b00) bits[i] = (bits[i] as number) + (random() < 0.5 ? -1 : 1);
    }
    return bits;
  });
}
