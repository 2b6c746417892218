import { type ElementType, Tensor } from "@shrinknet/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNpy, writeNpy } from "../src/npy.ts";
import { messageOf, npyFile } from "./helpers.ts";

const widths = {
  float16: 2,
  float32: 4,
  float64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
} as const satisfies Partial<Record<ElementType, number>>;

const tensors = fc
  .tuple(
    fc.constantFrom(...(Object.keys(widths) as (keyof typeof widths)[])),
    fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
  )
  .chain(([type, dims]) => {
    const length = dims.reduce((a, b) => a * b, widths[type]);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => new Tensor(type, dims, bytes, { raw: true }));
  });

const dict = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const read = (bytes: Uint8Array) => readNpy(bytes, "a.npy: the array");
const errorOf = (bytes: Uint8Array) => messageOf(() => read(bytes));

test("what is written is read back, byte for byte", () => {
  fc.assert(
    fc.property(tensors, (tensor) => {
      const file = writeNpy(tensor);
      const result = read(file);
      expect(result.type).toBe(tensor.type);
      expect(result.dims).toEqual(tensor.dims);
      expect(result.bytes).toEqual(tensor.bytes);
      expect(result.data.length).toBe(tensor.size);
    }),
    { numRuns: 200 },
  );
});

test("the header is NumPy's, padded to 64 bytes", () => {
  const file = writeNpy(new Tensor("float32", [3], Float32Array.of(1, 2, 3)));
  expect(file.length).toBe(128 + 12);
  expect([...file.subarray(6, 10)]).toEqual([1, 0, 118, 0]);
  expect(new TextDecoder().decode(file.subarray(10, 128))).toBe(`${dict("<f4", "(3,)").padEnd(117)}\n`);
});

describe("what other writers produce", () => {
  const data = Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0);

  test.each([1, 2, 3] as const)("header version %d, data at an odd offset", (version) => {
    const tensor = read(npyFile(`${dict("<i2", "(2, 3)")} `, data, version));
    expect(tensor.dims).toEqual([2, 3]);
    expect(Array.from(tensor.numbers)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("Fortran order becomes row-major order", () => {
    const tensor = read(npyFile(dict("<i2", "(2, 3)", "True"), data));
    expect(tensor.dims).toEqual([2, 3]);
    expect(Array.from(tensor.numbers)).toEqual([1, 3, 5, 2, 4, 6]);
    const deep = read(npyFile(dict("<i2", "(1, 2, 3)", "True"), data));
    expect(deep.dims).toEqual([1, 2, 3]);
    expect(Array.from(deep.numbers)).toEqual([1, 3, 5, 2, 4, 6]);
    expect(read(npyFile(dict("<i2", "(6,)", "True"), data)).dims).toEqual([6]);
  });

  test("scalars, long integers of old NumPy, keys in another order", () => {
    expect(read(npyFile(dict("<i2", "()"), data.subarray(0, 2))).dims).toEqual([]);
    expect(read(npyFile(dict("<i2", "(2L, 3L)"), data)).dims).toEqual([2, 3]);
    expect(read(npyFile("{'shape': (6,), 'fortran_order': False, 'descr': '<i2'}", data)).dims).toEqual([6]);
  });

  test("byte order does not matter for single bytes", () => {
    expect(read(npyFile(dict(">u1", "(12,)"), data)).type).toBe("uint8");
    expect(read(npyFile(dict("|b1", "(12,)"), data)).type).toBe("bool");
  });
});

describe("errors", () => {
  const four = new Uint8Array(4);

  test("other contents", async () => {
    expect(await errorOf(Uint8Array.of(1, 2, 3))).toBe(
      "a.npy: the array begins with the bytes 01 02 03, expected 93 4e 55 4d 50 59 of a NumPy array. " +
        "Save it again with numpy.save or numpy.savez.",
    );
    expect(await errorOf(new Uint8Array())).toContain("begins with the bytes (none)");
  });

  test("unknown version and broken headers", async () => {
    const file = npyFile(dict("<f4", "(1,)"), four);
    file[6] = 9;
    expect(await errorOf(file)).toContain("has .npy version 9, expected 1, 2 or 3");
    expect(await errorOf(npyFile("{'descr': '<f4'}", four))).toContain(
      "has the header {'descr': '<f4'}, expected descr, fortran_order and shape",
    );
    expect(await errorOf(npyFile(dict("<f4", "(-1,)"), four))).toContain("has the header");
  });

  test("cut short, at every length", async () => {
    const file = npyFile(dict("<f4", "(1,)"), four);
    for (let length = 6; length < file.length; length++) {
      expect(await errorOf(file.subarray(0, length))).toContain("is cut short");
    }
    expect(await errorOf(file.subarray(0, -1))).toBe(
      "a.npy: the array is cut short: it holds 3 bytes of data, expected 4 for float32 [1]. " +
        "Save it again with numpy.save or numpy.savez.",
    );
    expect(await errorOf(npyFile(dict("<f4", "(1,)"), new Uint8Array(5)))).toContain("has bytes left over: it holds 5");
    expect(await errorOf(npyFile(dict("<f4", "(9999999999, 9999999999)"), four))).toContain("is cut short");
  });

  test("element types", async () => {
    expect(await errorOf(npyFile(dict(">f4", "(1,)"), four))).toBe(
      "a.npy: the array holds big-endian numbers (dtype >f4), expected little-endian. " +
        "Convert it with .astype('float32') or .astype('int64') before saving.",
    );
    expect(await errorOf(npyFile(dict("|O", "(1,)"), four))).toContain(
      "holds Python objects, expected an array of num",
    );
    expect(await errorOf(npyFile(dict("<U10", "(1,)"), four))).toContain("has dtype <U10, expected numbers: float16");
    expect(await errorOf(npyFile(dict("<c8", "(1,)"), four))).toContain("has dtype <c8");
    const fields = "{'descr': [('a', '<f4'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (1,), }";
    expect(await errorOf(npyFile(fields, four))).toContain("has dtype [(a, <f4), (b, <i4, (2,))], expected numbers");
  });

  test("bfloat16 cannot be written", async () => {
    expect(await messageOf(() => writeNpy(new Tensor("bfloat16", [1], new Uint16Array(1))))).toBe(
      ".npy cannot hold bfloat16, expected a NumPy type. Convert it first.",
    );
  });
});
