/** Operators with weights that contract one axis: dense layers. */

import { floatAttribute, intAttribute, stringAttribute } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import { noDerivative } from "./no-derivative.ts";
import { type Backward, type Contribution, type OpRule, tieBroadcast } from "./rule.ts";

/** Gemm: A[M, K], B[K, N], C? broadcast to [M, N] -> alpha * A' B' + beta * C; A' and B' optionally transposed. */
export const Gemm: OpRule = {
  weights: [0, 1],
  ties(t) {
    const [a, b, c, y] = [t.X(0), t.X(1), t.X(2), t.Y()];
    if (!a || !b || !y) return;
    const { transA, transB } = transposes(t);
    const [rows, inner] = transA ? [1, 0] : [0, 1];
    const [contracted, columns] = transB ? [1, 0] : [0, 1];
    t.tie(a, rows, y, 0);
    t.tie(a, inner, b, contracted);
    t.tie(b, columns, y, 1);
    const weightsFirst = t.isWeight(0);
    t.absorb(weightsFirst ? 1 : 0, weightsFirst ? contracted : inner);
    t.produce(weightsFirst ? 0 : 1);
    if (c) tieBroadcast(t, c, y);
  },
  linear: [
    (d) => {
      const { transA, transB } = transposes(d);
      const other = d.coefficient(d.X(1));
      const dy = d.incoming() as string;
      return transA
        ? scaledGemm(d, other, dy, { transA: transB, transB: 1 })
        : scaledGemm(d, dy, other, { transA: 0, transB: 1 - transB });
    },
    (d) => {
      const { transA, transB } = transposes(d);
      const other = d.coefficient(d.X(0));
      const dy = d.incoming() as string;
      return transB
        ? scaledGemm(d, dy, other, { transA: 1, transB: transA })
        : scaledGemm(d, other, dy, { transA: 1 - transA, transB: 0 });
    },
    (d) => {
      const beta = d.factor(floatAttribute(d.node, "beta", 1));
      const dy = d.incoming() as string;
      return d.unbroadcast(beta === 1 ? dy : d.b.mul(dy, d.b.scalar(beta)), 2);
    },
  ],
  macs: ({ node, dims, outDims }) => sizeOf(outDims()) * (dims(0)[intAttribute(node, "transA", 0) ? 0 : 1] as number),
  contribution(c) {
    if (c.slot !== 0 || intAttribute(c.node, "transA", 0)) return undefined;
    const rows = c.b.op("Gather", [c.X(1), c.indexes], {
      axis: intAttribute(c.node, "transB", 0) ? 1 : 0,
    });
    const weights = intAttribute(c.node, "transB", 0) ? c.b.op("Transpose", [rows], { perm: [1, 0] }) : rows;
    return scaled(c, outer(c, weights), floatAttribute(c.node, "alpha", 1));
  },
  regression({ node, dims }) {
    const plain = floatAttribute(node, "alpha", 1) === 1 && floatAttribute(node, "beta", 1) === 1;
    if (!plain || intAttribute(node, "transA", 0)) return undefined;
    const outputsFirst = intAttribute(node, "transB", 0) === 1;
    const columns = dims(1)[outputsFirst ? 0 : 1];
    if (node.inputs[2] && (sizeOf(dims(2)) !== columns || dims(2).at(-1) !== columns)) return undefined;
    const rows = (b: GraphBuilder, x: string): string => b.unsqueeze(x, [1]);
    return { outputsFirst, span: 1, biasSlot: 2, features: rows, outputs: rows };
  },
};

function transposes(d: { node: Backward["node"] }): {
  transA: number;
  transB: number;
} {
  return {
    transA: intAttribute(d.node, "transA", 0),
    transB: intAttribute(d.node, "transB", 0),
  };
}

function scaledGemm(d: Backward, a: string, b: string, attributes: { transA: number; transB: number }): string {
  return d.b.gemm(a, b, {
    ...attributes,
    alpha: { float: d.factor(floatAttribute(d.node, "alpha", 1)) },
  });
}

/** MatMul: A[..., M, K], B[..., K, N] -> A B, numpy-style; A or B may be a vector [K]. */
export const MatMul: OpRule = {
  weights: [0, 1],
  ties(t) {
    const [a, b, y] = [t.X(0), t.X(1), t.Y()];
    if (!a || !b || !y || a.dims.length < 2) return;
    const rank = y.dims.length;
    const [ra, rb] = [a.dims.length, b.dims.length];
    if (rb === 1) {
      for (let axis = 0; axis < rank; axis++) t.tie(a, axis, y, axis);
      t.tie(a, ra - 1, b, 0);
      t.absorb(0, ra - 1);
      return;
    }
    for (let axis = 0; axis < rank - 2; axis++) {
      const [inA, inB] = [axis - (rank - ra), axis - (rank - rb)];
      if (inA >= 0 && a.dims[inA] === y.dims[axis]) t.tie(a, inA, y, axis);
      if (inB >= 0 && b.dims[inB] === y.dims[axis]) t.tie(b, inB, y, axis);
    }
    t.tie(a, ra - 2, y, rank - 2);
    t.tie(b, rb - 1, y, rank - 1);
    t.tie(a, ra - 1, b, rb - 2);
    t.absorb(t.isWeight(0) ? 1 : 0, t.isWeight(0) ? rb - 2 : ra - 1);
    if (t.isWeight(1)) t.produce(rank - 1);
    if (t.isWeight(0)) t.produce(rank - 2);
  },
  linear: [
    (d) => {
      if (hasVector(d)) return throughVector(d);
      const other = swapLast(d, d.coefficient(d.X(1)), d.dims(1).length);
      return d.unbroadcast(d.b.op("MatMul", [d.incoming() as string, other]), 0);
    },
    (d) => {
      if (hasVector(d)) return throughVector(d);
      const dy = d.incoming() as string;
      const a = d.coefficient(d.X(0));
      if (d.dims(1).length === 2 && d.dims(0).length > 2) {
        // one product over all rows instead of a batch of small ones that is summed afterwards
        const rows = d.b.reshape(a, [-1, d.dims(0).at(-1) as number]);
        return d.b.gemm(rows, d.b.reshape(dy, [-1, d.outDims().at(-1) as number]), { transA: 1 });
      }
      return d.unbroadcast(d.b.op("MatMul", [swapLast(d, a, d.dims(0).length), dy]), 1);
    },
  ],
  macs: ({ dims, outDims }) => sizeOf(outDims()) * (dims(0).at(-1) as number),
  contribution(c) {
    if (c.slot !== 0 || c.dims(1).length !== 2 || c.axis !== c.dims(0).length - 1) return undefined;
    return outer(c, c.b.op("Gather", [c.X(1), c.indexes], { axis: 0 }));
  },
  regression({ dims }) {
    if (dims(1).length !== 2 || dims(0).length < 2) return undefined;
    const rows =
      (width: number) =>
      (b: GraphBuilder, x: string, positions?: readonly number[]): string => {
        const rows = b.reshape(x, dims(0).length === 2 ? [-1, 1, width] : [0, -1, width]);
        return positions ? b.op("Gather", [rows, b.ints(positions)], { axis: 1 }) : rows;
      };
    return { outputsFirst: false, span: 1, features: rows(dims(1)[0] as number), outputs: rows(dims(1)[1] as number) };
  },
};

function hasVector(d: Backward): boolean {
  return d.dims(0).length === 1 || d.dims(1).length === 1;
}

/** The same where one operand is a vector: an outer product, summed over every axis that the input does not have. */
function throughVector(d: Backward): string {
  const { b, slot } = d;
  const rank = d.outDims().length;
  const [dy, other] = [d.incoming() as string, d.coefficient(d.X(1 - slot))];
  if (d.dims(1).length === 1) {
    const product = b.mul(b.unsqueeze(dy, [rank]), other); // [..., K]
    return slot === 0 ? product : sumTo(d, product, rank);
  }
  const rows = b.unsqueeze(dy, [rank - 1]); // [..., 1, N]
  return slot === 0 ? sumTo(d, b.mul(rows, other), rank - 1) : b.mul(rows, b.unsqueeze(other, [1]));
}

/** Sums every axis of `product` (one more than the output has) but `axis`. */
function sumTo(d: Backward, product: string, axis: number): string {
  const all = Array.from({ length: d.outDims().length + 1 }, (_, a) => a);
  return d.b.sum(
    product,
    all.filter((a) => a !== axis),
  );
}

/** Einsum with named axes: a letter in the output ties its axes, a letter that is missing there is summed over. */
export const Einsum: OpRule = {
  weights: [0, 1, 2, 3],
  ties(t) {
    const [inputs, output] = letters(t.node, (slot) => t.X(slot)?.dims.length ?? 0) ?? [[], undefined];
    const y = t.Y();
    if (!y || output === undefined) return;
    const sides = inputs.map((names, slot) => ({ names, port: t.X(slot) }));
    for (const [axis, letter] of [...output].entries()) {
      for (const { names, port } of sides)
        if (port && names.includes(letter) && port.dims[names.indexOf(letter)] === y.dims[axis])
          t.tie(port, names.indexOf(letter), y, axis);
      const [makers, others] = [
        sides.filter((_, slot) => t.isWeight(slot)),
        sides.filter((_, slot) => !t.isWeight(slot)),
      ];
      const made =
        makers.some(({ names }) => names.includes(letter)) && !others.some(({ names }) => names.includes(letter));
      if (made) t.produce(axis);
    }
    for (const letter of new Set(inputs.join(""))) {
      if (output.includes(letter)) continue;
      const readers = sides.flatMap(({ names, port }, slot) =>
        port && names.includes(letter) ? [{ names, port, slot }] : [],
      );
      const [first, ...rest] = readers;
      if (!first) continue;
      for (const other of rest) t.tie(first.port, first.names.indexOf(letter), other.port, other.names.indexOf(letter));
      const gate = readers.find(({ slot }) => !t.isWeight(slot)) ?? first;
      t.absorb(gate.slot, gate.names.indexOf(letter));
    }
  },
  linear: (d) => {
    const [inputs, output] = letters(d.node, (slot) => d.dims(slot).length) ?? [[], undefined];
    const own = inputs[d.slot];
    const others = inputs.flatMap((names, slot) =>
      slot === d.slot ? [] : [{ names, value: d.coefficient(d.X(slot)) }],
    );
    const known = new Set([output ?? "", ...others.map(({ names }) => names)].join(""));
    const isSpread = [...(own ?? "")].some((letter, axis) => {
      const at = output?.indexOf(letter) ?? -1; // a single index that others meet in all of theirs
      return at >= 0 && d.outDims()[at] !== d.dims(d.slot)[axis];
    });
    if (own === undefined || output === undefined || isSpread || [...own].some((letter) => !known.has(letter))) {
      throw noDerivative(d.node, "no derivative for an equation of this form");
    }
    const equation = inLetters(`${[output, ...others.map(({ names }) => names)].join(",")}->${own}`);
    return d.b.op("Einsum", [d.incoming() as string, ...others.map(({ value }) => value)], { equation });
  },
  macs: ({ node, dims, outDims }) => {
    const [inputs, output] = letters(node, (slot) => dims(slot).length) ?? [[], undefined];
    const lengths = new Map<string, number>();
    inputs.forEach((names, slot) => {
      [...names].forEach((letter, axis) => {
        lengths.set(letter, Math.max(lengths.get(letter) ?? 1, dims(slot)[axis] as number));
      });
    });
    const summed = [...lengths].filter(([letter]) => !output?.includes(letter));
    return summed.reduce((product, [, length]) => product * length, sizeOf(outDims()));
  },
};

/**
 * The letters of each input and of the output, with one for every axis that an ellipsis stands for, counted from its end; where no
 * output is given, those that stand once, in their order. Undefined for repeated letters.
 */
function letters(node: Node, rankOf: (slot: number) => number): [inputs: string[], output: string] | undefined {
  const [left = "", given, ...more] = stringAttribute(node, "equation", "").replaceAll(" ", "").split("->");
  const sides = left.split(",");
  const lengths = sides.map((names, slot) => (names.includes("...") ? rankOf(slot) - names.length + 3 : 0));
  const all = Array.from({ length: Math.max(0, ...lengths) }, (_, at) => String.fromCodePoint(OTHERS + at));
  const inputs = sides.map((names, slot) =>
    names.replace("...", all.slice(all.length - (lengths[slot] ?? 0)).join("")),
  );
  const output = given?.replace("...", all.join("")) ?? all.join("") + onlyOnce(left.replaceAll(/[,.]/g, ""));
  if (more.length > 0 || ![...inputs, output].every(isPlain)) return undefined;
  return [inputs, output];
}

/** First of the letters that stand for axes under an ellipsis; equations have a to z and A to Z. */
const OTHERS = "\u00c0".codePointAt(0) as number;

/** An equation that runs: letters that it does not use stand for axes under an ellipsis. */
function inLetters(equation: string): string {
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((letter) => !equation.includes(letter));
  return equation.replaceAll(
    /[\u00c0-\u00ff]/g,
    (letter) => free[(letter.codePointAt(0) as number) - OTHERS] ?? letter,
  );
}

function onlyOnce(names: string): string {
  return [...names]
    .filter((letter) => names.split(letter).length === 2)
    .sort()
    .join("");
}

function isPlain(names: string): boolean {
  return /^[a-zA-Z\u00c0-\u00ff]*$/.test(names) && new Set(names).size === names.length;
}

function swapLast(d: Backward, x: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
  return d.b.op("Transpose", [x], { perm });
}

/**
 * slices[N, ..., K*s] and weights[K*s, M] -> [K, N, ..., M]: for each candidate, the sum over its s indexes of slice
 * times weight row.
 */
function outer(c: Contribution, weights: string): string {
  const { b, span, candidates } = c;
  const rank = c.dims(0).length;
  const columns = c.outDims().at(-1) as number;
  const perRow = b.reshape(weights, [candidates, span, columns]);
  if (rank === 2 && span === 1) {
    return b.mul(b.unsqueeze(b.op("Transpose", [c.slices], { perm: [1, 0] }), [2]), perRow);
  }
  const middle = c.dims(0).slice(1, -1);
  const split = b.reshape(c.slices, [-1, ...middle, candidates, span]);
  const perm = [rank - 1, ...Array.from({ length: rank - 1 }, (_, axis) => axis), rank];
  const byCandidate = b.op("Transpose", [split], { perm }); // [K, N, ..., s]
  const product = b.op("MatMul", [b.reshape(byCandidate, [candidates, -1, span]), perRow]);
  return b.reshape(product, [candidates, -1, ...middle, columns]);
}

function scaled(c: Contribution, x: string, factor: number): string {
  return factor === 1 ? x : c.b.mul(x, c.b.scalar(factor));
}
