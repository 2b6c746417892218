/** Blocked factors and solutions equal what the definition says, on both sides of the border to small matrices. */
import { expect, test } from "vitest";
import { Algebra } from "../../src/compensate/algebra.ts";
import { product } from "../../src/compensate/small-matrices.ts";
import { runner } from "../helpers.ts";
import { random } from "../support/build.ts";

const matrix = (seed: number, rows: number, columns: number): Float64Array =>
  Float64Array.from(random(seed).tensor([rows, columns]).numbers);

/** X X' / n + 0.1 */
function positive(n: number): Float64Array {
  const x = matrix(n, n, n);
  const transposed = x.map((_, at) => x[(at % n) * n + Math.floor(at / n)] as number);
  return product(x, transposed, { n, k: n, m: n }).map((value, at) => value / n + (at % (n + 1) === 0 ? 0.1 : 0));
}

function expectClose(one: Float64Array, other: Float64Array, most = 1e-9): void {
  expect(one.length).toBe(other.length);
  for (const [at, value] of one.entries()) expect(Math.abs(value - (other[at] as number))).toBeLessThan(most);
}

test.each([1, 7, 96, 97, 192, 200, 300, 421])("factors and solutions of %i rows", async (n) => {
  const algebra = await Algebra.of(runner);
  const [a, x] = [positive(n), matrix(2, n, 5)];
  const b = product(a, x, { n, k: n, m: 5 });
  const factor = await algebra.factorise(a, n);
  if (!factor) throw new Error("not positive definite");
  expectClose(await algebra.solve(factor, b, 5), x, 1e-8);
  const inverse = (await algebra.inverse(a, n)) as Float64Array;
  const unit = product(a, inverse, { n, k: n, m: n });
  expectClose(
    unit,
    unit.map((_, at) => (at % (n + 1) === 0 ? 1 : 0)),
    1e-8,
  );
  a[n * n - 1] = -1;
  expect(await algebra.factorise(a, n)).toBeUndefined();
});

test("products and updates by the runtime", async () => {
  const algebra = await Algebra.of(runner);
  const [n, k, m] = [70, 50, 60];
  const [a, b, c] = [matrix(1, n, k), matrix(2, k, m), matrix(3, n, m)];
  const expected = product(a, b, { n, k, m });
  expectClose(await algebra.product(a, b, n, k, m), expected);
  const turned = (of: Float64Array, rows: number, columns: number): Float64Array =>
    of.map((_, at) => of[(at % rows) * columns + Math.floor(at / rows)] as number);
  const rest = c.map((value, at) => value - (expected[at] as number));
  expectClose(await algebra.subtract(c, a, b, { n, k, m }), rest);
  expectClose(await algebra.subtract(c, a, turned(b, k, m), { n, k, m, form: "a b'" }), rest);
  expectClose(await algebra.subtract(c, turned(a, n, k), b, { n, k, m, form: "a' b" }), rest);
  // parts of larger arrays are read where they are
  expectClose(await algebra.product(a, matrix(2, 2 * k, m).subarray(0, k * m), n, k, m), expected);
});
