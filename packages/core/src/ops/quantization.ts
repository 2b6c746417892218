/** Quantised weights: cut as they are, never unpacked. */
import { intAttribute, normalAxis } from "../graph/attributes.ts";
import type { OpRule } from "./rule.ts";

/** DequantizeLinear: (X - zero point) * scale, with one scale in all or one for each index of `axis`; not in blocks. */
export const DequantizeLinear: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y || intAttribute(t.node, "block_size", 0) > 0) return;
    x.dims.forEach((_, axis) => {
      t.tie(x, axis, y, axis);
    });
    for (const slot of [1, 2]) {
      const parameter = t.X(slot);
      if (parameter?.dims.length !== 1) continue;
      const axis = x.dims.length === 0 ? 0 : normalAxis(intAttribute(t.node, "axis", 1), x.dims.length);
      if (parameter.dims[0] === x.dims[axis]) t.tie(parameter, 0, y, axis);
      else t.pass(parameter, 0);
    }
  },
};
