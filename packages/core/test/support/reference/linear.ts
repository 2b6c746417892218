/** Matrix products. */
import {
  broadcast,
  broadcastDims,
  indexesOf,
  map,
  type NumArray,
  normalAxis,
  permuted,
  reshaped,
  zip,
} from "./array.ts";
import type { Operators } from "./call.ts";

export const linear: Operators = {
  Gemm(call) {
    const a = call.int("transA", 0) ? permuted(call.input(0), [1, 0]) : call.input(0);
    const b = call.int("transB", 0) ? permuted(call.input(1), [1, 0]) : call.input(1);
    const alpha = call.float("alpha", 1);
    const beta = call.float("beta", 1);
    const product = map(product2d(a, b), (value) => alpha * value);
    const c = call.inputs[2];
    return c ? zip([product, broadcast(c, product.dims)], (p, bias) => p + beta * bias) : product;
  },
  MatMul: (call) => matmul(call.input(0), call.input(1)),
  Einsum: (call) => einsum(call.string("equation", ""), call.all),
};

/** numpy.matmul: stacks of matrices broadcast, vectors get an axis for the product. */
function matmul(a: NumArray, b: NumArray): NumArray {
  if (a.dims.length === 1) {
    const result = matmul(reshaped(a, [1, ...a.dims]), b);
    return reshaped(result, result.dims.toSpliced(b.dims.length === 1 ? -1 : -2, 1));
  }
  if (b.dims.length === 1) {
    const result = matmul(a, reshaped(b, [...b.dims, 1]));
    return reshaped(result, result.dims.slice(0, -1));
  }
  const [rows, depth] = a.dims.slice(-2) as [number, number];
  const [deep, columns] = b.dims.slice(-2) as [number, number];
  if (depth !== deep) throw new RangeError(`inner lengths ${depth} and ${deep} differ`);
  const stack = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2));
  const left = broadcast(a, [...stack, rows, depth]).data;
  const right = broadcast(b, [...stack, depth, columns]).data;
  const count = stack.reduce((x, y) => x * y, 1);
  const data = new Float64Array(count * rows * columns);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let total = 0;
        for (let k = 0; k < depth; k++) {
          total += (left[(n * rows + i) * depth + k] as number) * (right[(n * depth + k) * columns + j] as number);
        }
        data[(n * rows + i) * columns + j] = total;
      }
    }
  }
  return { type: a.type, dims: [...stack, rows, columns], data };
}

function product2d(a: NumArray, b: NumArray): NumArray {
  if (a.dims.length !== 2 || b.dims.length !== 2) throw new RangeError("needs matrices");
  return matmul(a, b);
}

/** Sums the product of all inputs over every label that the result does not have. */
function einsum(equation: string, inputs: readonly NumArray[]): NumArray {
  const [left, right] = equation.replaceAll(" ", "").split("->") as [string, string | undefined];
  const written = left.split(",");
  if (written.length !== inputs.length) throw new RangeError(`${equation} has ${written.length} terms`);

  // An ellipsis becomes labels "0", "1", ... counted from the right, so that terms of different rank broadcast.
  const hidden = (term: string, rank: number): number =>
    term.includes("...") ? rank - term.replace("...", "").length : 0;
  const most = Math.max(...written.map((term, i) => hidden(term, (inputs[i] as NumArray).dims.length)));
  const spell = (term: string, count: number): string[] => {
    const [before, after] = term.split("...") as [string, string | undefined];
    if (after === undefined) return [...before];
    return [...before, ...Array.from({ length: count }, (_, i) => String(most - count + i)), ...after];
  };
  const terms = written.map((term, i) => spell(term, hidden(term, (inputs[i] as NumArray).dims.length)));

  const lengths = new Map<string, number>();
  terms.forEach((labels, t) => {
    labels.forEach((label, axis) => {
      const dim = (inputs[t] as NumArray).dims[axis] as number;
      const known = lengths.get(label) ?? 1;
      if (known !== 1 && dim !== 1 && known !== dim) throw new RangeError(`${label} is both ${known} and ${dim}`);
      lengths.set(label, Math.max(known, dim));
    });
  });
  const once = [...lengths.keys()].filter(
    (label) => /[A-Za-z]/.test(label) && terms.flat().filter((other) => other === label).length === 1,
  );
  const kept =
    right === undefined ? [...spell("...", most), ...once.sort()] : spell(right, right.includes("...") ? most : 0);
  const summed = [...lengths.keys()].filter((label) => !kept.includes(label));
  const labels = [...kept, ...summed];
  const dims = labels.map((label) => lengths.get(label) as number);
  const keptDims = dims.slice(0, kept.length);

  const places = terms.map((term) => term.map((label) => normalAxis(labels.indexOf(label), labels.length)));
  const data = new Float64Array(keptDims.reduce((x, y) => x * y, 1));
  const perCell = dims.slice(kept.length).reduce((x, y) => x * y, 1);
  let n = 0;
  for (const index of indexesOf(dims)) {
    let product = 1;
    inputs.forEach((input, t) => {
      let at = 0;
      (places[t] as number[]).forEach((place, axis) => {
        const dim = input.dims[axis] as number;
        at = at * dim + (dim === 1 ? 0 : (index[place] as number));
      });
      product *= input.data[at] as number;
    });
    const cell = Math.floor(n++ / perCell);
    data[cell] = (data[cell] as number) + product;
  }
  return { type: inputs[0]?.type ?? "float64", dims: keptDims, data };
}
