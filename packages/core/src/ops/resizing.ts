/** Operators that resample positions. They are linear, axis by axis. */

import { floatsAttribute, intsAttribute, normalAxis, stringAttribute } from "../graph/attributes.ts";
import { tensorOf } from "../graph/tensor.ts";
import { cutTarget } from "./movement.ts";
import { noDerivative } from "./no-derivative.ts";
import type { Backward, OpRule, Ties } from "./rule.ts";

/** Resize: an axis that keeps its length may be cut; one that is resampled is frozen. */
export const Resize: OpRule = {
  ties: tieUnscaled,
  cut: (c) => (c.node.inputs[3] ? cutTarget(c, 3) : {}),
  linear: [resampleBack],
};

/** Upsample, the older Resize. */
export const Upsample: OpRule = { ties: tieUnscaled, linear: [resampleBack] };

function tieUnscaled(t: Ties): void {
  const [x, y] = [t.X(0), t.Y()];
  if (!x || !y) return;
  x.dims.forEach((dim, axis) => {
    if (axis < 2 && dim === y.dims[axis]) t.tie(x, axis, y, axis);
  });
}

/** What arrives, multiplied along each resampled axis by the matrix that the operator multiplies by on the way forward. */
function resampleBack(d: Backward): string {
  const { b, node } = d;
  const [dims, outDims] = [d.dims(0), d.outDims()];
  const rank = dims.length;
  const refuse = (what: string): never => {
    throw noDerivative(node, `no derivative for ${what}`);
  };
  const [mode, policy] = ["coordinate_transformation_mode", "keep_aspect_ratio_policy"];
  if (stringAttribute(node, mode, "") === "tf_crop_and_resize") refuse("tf_crop_and_resize");
  if (stringAttribute(node, policy, "stretch") !== "stretch") refuse(policy);
  let arriving = d.incoming() as string;
  for (let axis = 0; axis < rank; axis++) {
    const scale = scaleOf(d, axis);
    if (dims[axis] === outDims[axis] && (scale ?? 1) === 1) continue;
    if (axis === 0) refuse("a first axis that is resampled");
    const swapped = Array.from({ length: rank }, (_, a) => (a === axis ? rank - 1 : a === rank - 1 ? axis : a));
    const swap = (name: string): string => (axis === rank - 1 ? name : b.op("Transpose", [name], { perm: swapped }));
    arriving = swap(b.op("MatMul", [swap(arriving), d.coefficient(matrix(d, axis, scale))]));
  }
  return arriving;
}

/** The matrix [out, in] of one axis: the operator's own answer to the unit vectors, one to a sample. */
function matrix({ b, node, opset, dims: dimsOf, outDims }: Backward, axis: number, scale: number | undefined): string {
  const dims = dimsOf(0);
  const [length, out] = [dims[axis] as number, outDims()[axis] as number];
  const along = (value: number, first: number): number[] =>
    dims.map((_, a) => (a === axis ? value : a === 0 ? first : 1));
  const eye = Array.from({ length: length * length }, (_, i) => (i % (length + 1) === 0 ? 1 : 0));
  const basis = b.tensor(tensorOf(b.real as "float32", eye, along(length, length)), "basis");
  const scales = b.tensor(tensorOf("float32", along(scale ?? 1, 1)), "scales");
  const { axes, keep_aspect_ratio_policy, scales: attribute, ...others } = node.attributes;
  const own = { kind: "floats", value: along(scale ?? 1, 1) } as const;
  const attributes = attribute ? { ...others, scales: own } : others;
  const none = opset < 13 ? b.tensor(tensorOf("float32", [], [0]), "none") : ""; // left out by name from opset 13 on
  const inputs = attribute
    ? [basis]
    : node.opType === "Upsample" || opset < 11
      ? [basis, scales]
      : scale === undefined
        ? [basis, none, none, b.ints(along(out, length))]
        : [basis, none, scales];
  const answers = b.fresh("resampled");
  b.append({ name: answers, opType: node.opType, domain: "", inputs, outputs: [answers], attributes });
  return b.op("Transpose", [b.reshape(answers, [length, out])], { perm: [1, 0] });
}

/** The scale of an axis where it is given and known; undefined where the lengths say it. */
function scaleOf({ node, opset, constant, dims }: Backward, axis: number): number | undefined {
  const slot = node.opType === "Upsample" || opset < 11 ? 1 : 2;
  const given = floatsAttribute(node, "scales") ?? constant(slot)?.numbers;
  if (!given?.length) return undefined;
  const rank = dims(0).length;
  const axes = intsAttribute(node, "axes")?.map((one) => normalAxis(one, rank));
  return axes ? (axes.includes(axis) ? given[axes.indexOf(axis)] : 1) : given[axis];
}
