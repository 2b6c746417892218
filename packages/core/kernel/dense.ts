/**
 * Inner loops of dense tails in WebAssembly SIMD, in AssemblyScript. Compiled into src/measure/dense/kernel-wasm.ts by
 * `npm run kernel`; a test holds the two equal, and another holds every loop equal to its graph twin.
 *
 * All matrices are "unit-major": row r holds one unit's values for all samples of a block, so that a SIMD lane is a
 * sample. Pointers are byte offsets into the memory, `samples` is a multiple of 4, rows lie `samples` floats apart
 * unless a stride (in bytes) is given.
 */

const LANES: i32 = 4;
const WIDTH: usize = 16;

/**
 * e^x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r (coefficients of Moshier's Cephes expf), times 2^n.
 * Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. Relative error below 2e-7.
 */
// @ts-expect-error: decorator
@inline
function exp4(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(x, f32x4.splat(88.0)), f32x4.splat(-87.0));
  const shifted = f32x4.add(f32x4.mul(clamped, f32x4.splat(1.44269504)), f32x4.splat(12582912.0));
  const n = f32x4.sub(shifted, f32x4.splat(12582912.0));
  const high = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  const r = f32x4.add(high, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  const power = i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000));
  return f32x4.mul(p, power);
}

// @ts-expect-error: decorator
@inline
function sigmoid4(x: v128): v128 {
  return f32x4.div(f32x4.splat(1.0), f32x4.add(f32x4.splat(1.0), exp4(f32x4.neg(x))));
}

/**
 * out[row] = z[row] - o * weights[row]: a layer's sums without one of its inputs. `zTable` holds the rows' addresses,
 * to which `at` is added; `out` is contiguous.
 */
export function without(out: usize, zTable: usize, at: usize, o: usize, weights: usize, rows: i32, samples: i32): void {
  for (let row = 0; row < rows; row++) {
    const w = v128.load32_splat(weights + (row << 2));
    const from = <usize>load<u32>(zTable + (row << 2)) + at;
    for (let i: usize = 0; i < <usize>samples << 2; i += WIDTH) {
      v128.store(out + i, f32x4.sub(v128.load(from + i), f32x4.mul(v128.load(o + i), w)));
    }
    out += <usize>samples << 2;
  }
}

/**
 * x = 1 / (1 + e^-x), in place, for `count` floats, a multiple of 16. Four vectors go step by step side by side, so that
 * each constant is brought into a register once for all of them (2.6 times faster than one after the other).
 */
export function sigmoid(x: usize, count: i32): void {
  for (let i = 0; i < count; i += 4 * LANES, x += 4 * WIDTH) {
    let c = f32x4.splat(88.0);
    let a0 = f32x4.pmin(f32x4.neg(v128.load(x)), c);
    let a1 = f32x4.pmin(f32x4.neg(v128.load(x, 16)), c);
    let a2 = f32x4.pmin(f32x4.neg(v128.load(x, 32)), c);
    let a3 = f32x4.pmin(f32x4.neg(v128.load(x, 48)), c);
    c = f32x4.splat(-87.0);
    a0 = f32x4.pmax(a0, c);
    a1 = f32x4.pmax(a1, c);
    a2 = f32x4.pmax(a2, c);
    a3 = f32x4.pmax(a3, c);
    c = f32x4.splat(1.44269504);
    let n0 = f32x4.mul(a0, c);
    let n1 = f32x4.mul(a1, c);
    let n2 = f32x4.mul(a2, c);
    let n3 = f32x4.mul(a3, c);
    c = f32x4.splat(12582912.0);
    n0 = f32x4.add(n0, c);
    n1 = f32x4.add(n1, c);
    n2 = f32x4.add(n2, c);
    n3 = f32x4.add(n3, c);
    const s0 = i32x4.shl(n0, 23);
    const s1 = i32x4.shl(n1, 23);
    const s2 = i32x4.shl(n2, 23);
    const s3 = i32x4.shl(n3, 23);
    n0 = f32x4.sub(n0, c);
    n1 = f32x4.sub(n1, c);
    n2 = f32x4.sub(n2, c);
    n3 = f32x4.sub(n3, c);
    c = f32x4.splat(0.693359375);
    a0 = f32x4.sub(a0, f32x4.mul(n0, c));
    a1 = f32x4.sub(a1, f32x4.mul(n1, c));
    a2 = f32x4.sub(a2, f32x4.mul(n2, c));
    a3 = f32x4.sub(a3, f32x4.mul(n3, c));
    c = f32x4.splat(2.12194440e-4);
    a0 = f32x4.add(a0, f32x4.mul(n0, c));
    a1 = f32x4.add(a1, f32x4.mul(n1, c));
    a2 = f32x4.add(a2, f32x4.mul(n2, c));
    a3 = f32x4.add(a3, f32x4.mul(n3, c));
    c = f32x4.splat(1.9875691500e-4);
    let p0 = f32x4.mul(a0, c);
    let p1 = f32x4.mul(a1, c);
    let p2 = f32x4.mul(a2, c);
    let p3 = f32x4.mul(a3, c);
    c = f32x4.splat(1.3981999507e-3);
    p0 = f32x4.mul(f32x4.add(p0, c), a0);
    p1 = f32x4.mul(f32x4.add(p1, c), a1);
    p2 = f32x4.mul(f32x4.add(p2, c), a2);
    p3 = f32x4.mul(f32x4.add(p3, c), a3);
    c = f32x4.splat(8.3334519073e-3);
    p0 = f32x4.mul(f32x4.add(p0, c), a0);
    p1 = f32x4.mul(f32x4.add(p1, c), a1);
    p2 = f32x4.mul(f32x4.add(p2, c), a2);
    p3 = f32x4.mul(f32x4.add(p3, c), a3);
    c = f32x4.splat(4.1665795894e-2);
    p0 = f32x4.mul(f32x4.add(p0, c), a0);
    p1 = f32x4.mul(f32x4.add(p1, c), a1);
    p2 = f32x4.mul(f32x4.add(p2, c), a2);
    p3 = f32x4.mul(f32x4.add(p3, c), a3);
    c = f32x4.splat(1.6666665459e-1);
    p0 = f32x4.mul(f32x4.add(p0, c), a0);
    p1 = f32x4.mul(f32x4.add(p1, c), a1);
    p2 = f32x4.mul(f32x4.add(p2, c), a2);
    p3 = f32x4.mul(f32x4.add(p3, c), a3);
    c = f32x4.splat(5.0000001201e-1);
    p0 = f32x4.mul(f32x4.add(p0, c), f32x4.mul(a0, a0));
    p1 = f32x4.mul(f32x4.add(p1, c), f32x4.mul(a1, a1));
    p2 = f32x4.mul(f32x4.add(p2, c), f32x4.mul(a2, a2));
    p3 = f32x4.mul(f32x4.add(p3, c), f32x4.mul(a3, a3));
    const one = f32x4.splat(1.0);
    p0 = f32x4.mul(f32x4.add(f32x4.add(p0, a0), one), i32x4.add(s0, one));
    p1 = f32x4.mul(f32x4.add(f32x4.add(p1, a1), one), i32x4.add(s1, one));
    p2 = f32x4.mul(f32x4.add(f32x4.add(p2, a2), one), i32x4.add(s2, one));
    p3 = f32x4.mul(f32x4.add(f32x4.add(p3, a3), one), i32x4.add(s3, one));
    v128.store(x, f32x4.div(one, f32x4.add(p0, one)));
    v128.store(x, f32x4.div(one, f32x4.add(p1, one)), 16);
    v128.store(x, f32x4.div(one, f32x4.add(p2, one)), 32);
    v128.store(x, f32x4.div(one, f32x4.add(p3, one)), 48);
  }
}

/** x = tanh x = 2 / (1 + e^-2x) - 1, in place. */
export function tanh(x: usize, count: i32): void {
  for (let i = 0; i < count; i += LANES, x += WIDTH) {
    const y = sigmoid4(f32x4.mul(v128.load(x), f32x4.splat(2.0)));
    v128.store(x, f32x4.sub(f32x4.add(y, y), f32x4.splat(1.0)));
  }
}

/** x = max(0, x), in place. */
export function relu(x: usize, count: i32): void {
  for (let i = 0; i < count; i += LANES, x += WIDTH) v128.store(x, f32x4.max(v128.load(x), f32x4.splat(0.0)));
}

/** Softmax over the rows of each sample, in place. */
export function softmax(x: usize, rows: i32, samples: i32): void {
  const step = <usize>samples << 2;
  for (let i: usize = 0; i < step; i += WIDTH) {
    let top = f32x4.splat(-Infinity);
    for (let r = 0, at = x + i; r < rows; r++, at += step) top = f32x4.max(top, v128.load(at));
    let sum = f32x4.splat(0.0);
    for (let r = 0, at = x + i; r < rows; r++, at += step) {
      const e = exp4(f32x4.sub(v128.load(at), top));
      v128.store(at, e);
      sum = f32x4.add(sum, e);
    }
    const scale = f32x4.div(f32x4.splat(1.0), sum);
    for (let r = 0, at = x + i; r < rows; r++, at += step) v128.store(at, f32x4.mul(v128.load(at), scale));
  }
}

/**
 * out[c] = bias[c] + sum_r x[r] * weights[r][c] for one block of samples; weights[rows, columns] row-major, four columns
 * at a time. `xTable` and `outTable` hold the rows' addresses, to which `xAt` and `outAt` are added.
 */
export function dense(
  outTable: usize,
  outAt: usize,
  xTable: usize,
  xAt: usize,
  weights: usize,
  bias: usize,
  rows: i32,
  columns: i32,
  samples: i32,
): void {
  const step = <usize>samples << 2;
  const next = <usize>columns << 2;
  let c = 0;
  for (; c + 3 < columns; c += 4) {
    const b = bias + (c << 2);
    const y0 = <usize>load<u32>(outTable + (c << 2)) + outAt;
    const y1 = <usize>load<u32>(outTable + (c << 2), 4) + outAt;
    const y2 = <usize>load<u32>(outTable + (c << 2), 8) + outAt;
    const y3 = <usize>load<u32>(outTable + (c << 2), 12) + outAt;
    for (let i: usize = 0; i < step; i += 2 * WIDTH) {
      let a0 = v128.load32_splat(b);
      let a1 = v128.load32_splat(b, 4);
      let a2 = v128.load32_splat(b, 8);
      let a3 = v128.load32_splat(b, 12);
      let b0 = a0;
      let b1 = a1;
      let b2 = a2;
      let b3 = a3;
      let w = weights + (c << 2);
      for (let r = 0; r < rows; r++) {
        const from = <usize>load<u32>(xTable + (r << 2)) + xAt + i;
        const u = v128.load(from);
        const v = v128.load(from, 16);
        const w0 = v128.load32_splat(w);
        a0 = f32x4.add(a0, f32x4.mul(u, w0));
        b0 = f32x4.add(b0, f32x4.mul(v, w0));
        const w1 = v128.load32_splat(w, 4);
        a1 = f32x4.add(a1, f32x4.mul(u, w1));
        b1 = f32x4.add(b1, f32x4.mul(v, w1));
        const w2 = v128.load32_splat(w, 8);
        a2 = f32x4.add(a2, f32x4.mul(u, w2));
        b2 = f32x4.add(b2, f32x4.mul(v, w2));
        const w3 = v128.load32_splat(w, 12);
        a3 = f32x4.add(a3, f32x4.mul(u, w3));
        b3 = f32x4.add(b3, f32x4.mul(v, w3));
        w += next;
      }
      v128.store(y0 + i, a0);
      v128.store(y0 + i, b0, 16);
      v128.store(y1 + i, a1);
      v128.store(y1 + i, b1, 16);
      v128.store(y2 + i, a2);
      v128.store(y2 + i, b2, 16);
      v128.store(y3 + i, a3);
      v128.store(y3 + i, b3, 16);
    }
  }
  for (; c < columns; c++) {
    const y = <usize>load<u32>(outTable + (c << 2)) + outAt;
    for (let i: usize = 0; i < step; i += WIDTH) {
      let sum = v128.load32_splat(bias + (c << 2));
      let w = weights + (c << 2);
      for (let r = 0; r < rows; r++) {
        const from = <usize>load<u32>(xTable + (r << 2)) + xAt + i;
        sum = f32x4.add(sum, f32x4.mul(v128.load(from), v128.load32_splat(w)));
        w += next;
      }
      v128.store(y + i, sum);
    }
  }
}

/**
 * Sum over the first `used` samples of sum_r weights[r] (y[r] - t[r])^2; each sample in float32, their sum in float64.
 */
export function squaredError(
  y: usize,
  t: usize,
  stride: usize,
  weights: usize,
  rows: i32,
  samples: i32,
  used: i32,
): f64 {
  const step = <usize>samples << 2;
  let total: f64 = 0;
  for (let i = 0; i < samples; i += LANES) {
    let sum = f32x4.splat(0.0);
    let a = y + (i << 2);
    let b = t + (i << 2);
    for (let r = 0; r < rows; r++) {
      const d = f32x4.sub(v128.load(a), v128.load(b));
      sum = f32x4.add(sum, f32x4.mul(f32x4.mul(d, d), v128.load32_splat(weights + (r << 2))));
      a += step;
      b += stride;
    }
    total += sumOf(sum, used - i);
  }
  return total;
}

/** Sum over the first `used` samples of -sum_r t[r] log softmax(y)[r]; the targets of a sample sum to `t`'s own sum. */
export function crossEntropy(y: usize, t: usize, stride: usize, rows: i32, samples: i32, used: i32): f64 {
  const step = <usize>samples << 2;
  let total: f64 = 0;
  for (let i = 0; i < samples; i += LANES) {
    let top = f32x4.splat(-Infinity);
    let a = y + (i << 2);
    for (let r = 0; r < rows; r++, a += step) top = f32x4.max(top, v128.load(a));
    let sum = f32x4.splat(0.0);
    let dot = f32x4.splat(0.0);
    let mass = f32x4.splat(0.0);
    a = y + (i << 2);
    let b = t + (i << 2);
    for (let r = 0; r < rows; r++) {
      const d = f32x4.sub(v128.load(a), top);
      const target = v128.load(b);
      sum = f32x4.add(sum, exp4(d));
      dot = f32x4.add(dot, f32x4.mul(target, d));
      mass = f32x4.add(mass, target);
      a += step;
      b += stride;
    }
    total += logTerms(sum, dot, mass, used - i);
  }
  return total;
}

// @ts-expect-error: decorator
@inline
function sumOf(x: v128, used: i32): f64 {
  let total: f64 = f32x4.extract_lane(x, 0);
  if (used > 1) total += f32x4.extract_lane(x, 1);
  if (used > 2) total += f32x4.extract_lane(x, 2);
  if (used > 3) total += f32x4.extract_lane(x, 3);
  return used > 0 ? total : 0;
}

// @ts-expect-error: decorator
@inline
function logTerms(sum: v128, dot: v128, mass: v128, used: i32): f64 {
  let total: f64 = 0;
  if (used > 0) total += term(f32x4.extract_lane(sum, 0), f32x4.extract_lane(dot, 0), f32x4.extract_lane(mass, 0));
  if (used > 1) total += term(f32x4.extract_lane(sum, 1), f32x4.extract_lane(dot, 1), f32x4.extract_lane(mass, 1));
  if (used > 2) total += term(f32x4.extract_lane(sum, 2), f32x4.extract_lane(dot, 2), f32x4.extract_lane(mass, 2));
  if (used > 3) total += term(f32x4.extract_lane(sum, 3), f32x4.extract_lane(dot, 3), f32x4.extract_lane(mass, 3));
  return total;
}

function term(sum: f32, dot: f32, mass: f32): f64 {
  return <f64>mass * Math.log(<f64>sum) - <f64>dot;
}
