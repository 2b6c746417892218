/** Dummy inputs: what a model is run on where there is no data, to learn its shapes or to compare two models. */
import { randomSource } from "../util/random.ts";
import { checkedZeros } from "./checked-size.ts";
import type { InputLayout } from "./input-layout.ts";
import type { Values } from "./pieces.ts";
import { isFloat, Tensor, tensorOf } from "./tensor.ts";

/** Feeds of `count` samples: reals between -1 and 1, zeros for all other types; the same at every call. */
export function dummyFeeds(inputs: readonly Pick<InputLayout, "name" | "type" | "dims">[], count: number): Values[] {
  const random = randomSource(1);
  const drawn = inputs.map(({ name, type, dims }) => {
    const remedy = `give shorter axes with --shape ${name}=..., or export the model with shorter ones`;
    return Array.from({ length: count }, () => {
      const zeros = new Tensor(type, dims, checkedZeros(`input "${name}"`, type, dims, remedy));
      return isFloat(type)
        ? tensorOf(
            type,
            Float32Array.from({ length: zeros.size }, () => random() * 2 - 1),
            dims,
          )
        : zeros;
    });
  });
  return Array.from({ length: count }, (_, n) =>
    Object.fromEntries(inputs.map(({ name }, at) => [name, drawn[at]?.[n] as Tensor])),
  );
}
