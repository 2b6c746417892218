/**
 * Matrices in float64, row by row in one array: products, Cholesky factors, solutions. Large ones are cut into blocks, whose
 * products the runtime computes, some fifty times as fast as a loop here would be; small ones are computed on the spot.
 */
import { emptyGraph, GraphBuilder } from "../graph/builder.ts";
import { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner, Session } from "../runner.ts";
import { factorise, product, solveFactored } from "./small-matrices.ts";

/** Matrices with no more rows than this are factorised on the spot. */
const SMALL = 96;
/** A product of no more multiplications than this is computed on the spot. */
const FEW = 2 ** 16;

const OPSET = 13;

/** C - op(A) op(B), by which of the two are transposed. */
type Update = "a b" | "a b'" | "a' b";

const algebras = new WeakMap<Runner, Promise<Algebra>>();

/** A lower triangular Cholesky factor, with what its use needs to know of its diagonal blocks. */
export interface Factor {
  readonly n: number;
  /** [n, n]; above the diagonal is no part of it. */
  readonly lower: Float64Array;
  /** Inverses of the diagonal blocks, [size, size], with the row where each begins; none of a small matrix. */
  readonly blocks: readonly DiagonalBlock[];
}

interface DiagonalBlock {
  readonly first: number;
  readonly size: number;
  readonly inverse: Float64Array;
}

export class Algebra {
  readonly #product: Session;
  readonly #updates: ReadonlyMap<Update, Session>;

  private constructor(product: Session, updates: ReadonlyMap<Update, Session>) {
    this.#product = product;
    this.#updates = updates;
  }

  /** By a runner, whose sessions are loaded once. */
  static of(runner: Runner): Promise<Algebra> {
    const known = algebras.get(runner) ?? Algebra.#load(runner);
    algebras.set(runner, known);
    return known;
  }

  static async #load(runner: Runner): Promise<Algebra> {
    const graph = (build: (b: GraphBuilder) => string): Promise<Session> => {
      const b = new GraphBuilder({ opset: OPSET, real: "float64", base: emptyGraph("matrices") });
      for (const name of ["a", "b"]) b.input(name, "float64");
      const result = b.op("Identity", [build(b)], {}, "result");
      const opsets = new Map([["", OPSET]]);
      return runner.load(writeModel({ graph: b.graph([result]), irVersion: 8, opsets, metadata: new Map() }));
    };
    const update = (transA: number, transB: number): Promise<Session> =>
      graph((b) => b.op("Gemm", ["a", "b", b.input("c", "float64")], { transA, transB, alpha: { float: -1 } }));
    return new Algebra(
      await graph((b) => b.op("MatMul", ["a", "b"])),
      new Map<Update, Session>([
        ["a b", await update(0, 0)],
        ["a b'", await update(0, 1)],
        ["a' b", await update(1, 0)],
      ]),
    );
  }

  /** A[n, k] B[k, m] */
  async product(a: Float64Array, b: Float64Array, n: number, k: number, m: number): Promise<Float64Array> {
    if (n * k * m <= FEW) return product(a, b, { n, k, m });
    const { result } = await this.#product.run({ a: matrix(a, n, k), b: matrix(b, k, m) });
    return result?.data as Float64Array;
  }

  /** The factor of a symmetric matrix A[n, n], of which the lower triangle is read; undefined where A is not positive definite. */
  async factorise(a: Float64Array, n: number): Promise<Factor | undefined> {
    const lower = a.slice();
    if (n <= SMALL) return factorise(lower, n) ? { n, lower, blocks: [] } : undefined;
    const blocks: DiagonalBlock[] = [];
    return (await this.#factorise(lower, n, 0, blocks)) ? { n, lower, blocks } : undefined;
  }

  /** X[n, m] with A X = B[n, m], given A's factor. */
  async solve(factor: Factor, b: Float64Array, m: number): Promise<Float64Array> {
    const { n, lower, blocks } = factor;
    if (blocks.length === 0) {
      const result = b.slice();
      solveFactored(lower, n, result, m);
      return result;
    }
    return this.#backward(factor, 0, n, await this.#forward(factor, 0, n, b, m), m);
  }

  /** The inverse of a positive definite matrix A[n, n]; undefined where it is none. */
  async inverse(a: Float64Array, n: number): Promise<Float64Array | undefined> {
    const factor = await this.factorise(a, n);
    if (!factor) return undefined;
    const unit = new Float64Array(n * n);
    for (let i = 0; i < n; i++) unit[i * n + i] = 1;
    return this.solve(factor, unit, n);
  }

  /** C[n, m] - op(A) op(B), with `k` the length of the sums. */
  async subtract(
    c: Float64Array,
    a: Float64Array,
    b: Float64Array,
    { n, k, m, form = "a b" }: { readonly n: number; readonly k: number; readonly m: number; readonly form?: Update },
  ): Promise<Float64Array> {
    const { result } = await (this.#updates.get(form) as Session).run({
      a: form === "a' b" ? matrix(a, k, n) : matrix(a, n, k),
      b: form === "a b'" ? matrix(b, m, k) : matrix(b, k, m),
      c: matrix(c, n, m),
    });
    return result?.data as Float64Array;
  }

  /** Factorises A[n, n] in place; `first`: where it begins in the whole matrix. */
  async #factorise(a: Float64Array, n: number, first: number, blocks: DiagonalBlock[]): Promise<boolean> {
    if (n <= SMALL) {
      if (!factorise(a, n)) return false;
      blocks.push({ first, size: n, inverse: inverseOfLower(a, n) });
      return true;
    }
    const top = halfOf(n);
    const rest = n - top;
    const [whole, upper] = [{ columns: n }, { row: 0, column: 0, rows: top, width: top }];
    const a11 = part(a, whole, upper);
    if (!(await this.#factorise(a11, top, first, blocks))) return false;
    const under = { row: top, column: 0, rows: rest, width: top };
    const known = { n: top, lower: a11, blocks: blocks.filter((block) => block.first >= first) };
    const a21 = await this.#divide({ ...known, offset: first }, 0, top, part(a, whole, under), rest);
    const last = { row: top, column: top, rows: rest, width: rest };
    const shape = { n: rest, k: top, m: rest, form: "a b'" } as const;
    const a22 = await this.subtract(part(a, whole, last), a21, a21, shape);
    if (!(await this.#factorise(a22, rest, first + top, blocks))) return false;
    write(a, whole, upper, a11);
    write(a, whole, under, a21);
    write(a, whole, last, a22);
    return true;
  }

  /** X[rows, n] with X L' = B, L the block of a factor that begins at `first`. */
  async #divide(
    factor: Factor & { readonly offset: number },
    first: number,
    n: number,
    b: Float64Array,
    rows: number,
  ): Promise<Float64Array> {
    if (n <= SMALL) return this.product(b, transposed(inverseAt(factor, first + factor.offset), n), rows, n, n);
    const left = halfOf(n);
    const right = n - left;
    const [leftPart, rightPart] = [
      { row: 0, column: 0, rows, width: left },
      { row: 0, column: left, rows, width: right },
    ];
    const x1 = await this.#divide(factor, first, left, part(b, { columns: n }, leftPart), rows);
    const l21 = blockOf(factor, first + left, first, right, left);
    const b2 = await this.subtract(part(b, { columns: n }, rightPart), x1, l21, {
      n: rows,
      k: left,
      m: right,
      form: "a b'",
    });
    const x2 = await this.#divide(factor, first + left, right, b2, rows);
    const x = new Float64Array(rows * n);
    write(x, { columns: n }, leftPart, x1);
    write(x, { columns: n }, rightPart, x2);
    return x;
  }

  /** Y[n, m] with L Y = B */
  async #forward(factor: Factor, first: number, n: number, b: Float64Array, m: number): Promise<Float64Array> {
    if (n <= SMALL) return this.product(inverseAt(factor, first), b, n, n, m);
    const top = halfOf(n);
    const rest = n - top;
    const y1 = await this.#forward(factor, first, top, b.subarray(0, top * m), m);
    const l21 = blockOf(factor, first + top, first, rest, top);
    const b2 = await this.subtract(b.subarray(top * m), l21, y1, { n: rest, k: top, m });
    return stacked(y1, await this.#forward(factor, first + top, rest, b2, m));
  }

  /** X[n, m] with L' X = Y */
  async #backward(factor: Factor, first: number, n: number, y: Float64Array, m: number): Promise<Float64Array> {
    if (n <= SMALL) return this.product(transposed(inverseAt(factor, first), n), y, n, n, m);
    const top = halfOf(n);
    const rest = n - top;
    const x2 = await this.#backward(factor, first + top, rest, y.subarray(top * m), m);
    const l21 = blockOf(factor, first + top, first, rest, top);
    const y1 = await this.subtract(y.subarray(0, top * m), l21, x2, { n: top, k: rest, m, form: "a' b" });
    return stacked(await this.#backward(factor, first, top, y1, m), x2);
  }
}

/** Where a matrix of many rows is parted: near the middle, so that the small blocks are whole. */
function halfOf(n: number): number {
  return SMALL * Math.ceil(n / 2 / SMALL);
}

/** A rectangle of a matrix. */
interface Rectangle {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly width: number;
}

function part(
  a: Float64Array,
  { columns }: { columns: number },
  { row, column, rows, width }: Rectangle,
): Float64Array {
  const result = new Float64Array(rows * width);
  for (let i = 0; i < rows; i++) {
    const from = (row + i) * columns + column;
    result.set(a.subarray(from, from + width), i * width);
  }
  return result;
}

function write(
  a: Float64Array,
  { columns }: { columns: number },
  { row, column, rows, width }: Rectangle,
  values: Float64Array,
): void {
  for (let i = 0; i < rows; i++) a.set(values.subarray(i * width, (i + 1) * width), (row + i) * columns + column);
}

function blockOf({ n, lower }: Factor, row: number, column: number, rows: number, width: number): Float64Array {
  return part(lower, { columns: n }, { row, column, rows, width });
}

function inverseAt({ blocks }: Factor, first: number): Float64Array {
  return (blocks.find((block) => block.first === first) as DiagonalBlock).inverse;
}

function stacked(top: Float64Array, rest: Float64Array): Float64Array {
  const result = new Float64Array(top.length + rest.length);
  result.set(top);
  result.set(rest, top.length);
  return result;
}

function transposed(a: Float64Array, n: number): Float64Array {
  return a.map((_, at) => a[(at % n) * n + Math.floor(at / n)] as number);
}

/** The inverse of a lower triangular matrix. */
function inverseOfLower(lower: Float64Array, n: number): Float64Array {
  const result = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= (lower[i * n + k] as number) * (result[k * n + j] as number);
      result[i * n + j] = sum / (lower[i * n + i] as number);
    }
  }
  return result;
}

function matrix(data: Float64Array, rows: number, columns: number): Tensor {
  return new Tensor("float64", [rows, columns], data);
}
