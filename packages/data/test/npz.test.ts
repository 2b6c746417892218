import { float32, int64, Tensor } from "@shrinknet/core";
import { strToU8, zipSync } from "fflate";
import { expect, test } from "vitest";
import { writeNpy } from "../src/npy.ts";
import { isZip, readNpz, writeNpz } from "../src/npz.ts";
import { messageOf } from "./helpers.ts";

const arrays = { x: float32([1, 2, 3, 4], [2, 2]), y: int64([0, 1]) };

test.each([0, 6] as const)("what is written at level %d is read back", (level) => {
  const file = writeNpz(arrays, { level });
  expect(isZip(file)).toBe(true);
  const result = readNpz(file, "a.npz");
  expect(Object.keys(result)).toEqual(["x", "y"]);
  expect(result.x?.dims).toEqual([2, 2]);
  expect(result.x?.data).toEqual(arrays.x.data);
  expect(result.y?.data).toEqual(arrays.y.data);
});

test("deflate makes the file smaller; the same arrays give the same bytes", () => {
  const zeros = { x: new Tensor("float32", [1000], new Float32Array(1000)) };
  expect(writeNpz(zeros).length).toBeLessThan(500);
  expect(writeNpz(zeros, { level: 0 }).length).toBeGreaterThan(4000);
  expect(writeNpz(zeros)).toEqual(writeNpz(zeros));
});

test("members that are no arrays are skipped", () => {
  const both = zipSync({
    "readme.txt": strToU8("hello"),
    "x.npy": writeNpy(arrays.x),
  });
  expect(Object.keys(readNpz(both, "a.npz"))).toEqual(["x"]);
});

test("a damaged zip", async () => {
  const file = writeNpz(arrays);
  expect(await messageOf(() => readNpz(file.subarray(0, file.length / 2), "a.npz"))).toMatch(
    /^a\.npz: the zip is damaged or cut short \(.+\), expected the output of numpy\.savez\. Save or copy it again\.$/,
  );
});

test("a zip without arrays", async () => {
  expect(await messageOf(() => readNpz(zipSync({ "readme.txt": strToU8("hi") }), "a.npz"))).toBe(
    "a.npz: the zip holds no arrays, found readme.txt, expected x.npy and perhaps y.npy. Save it with numpy.savez.",
  );
  expect(await messageOf(() => readNpz(zipSync({}), "a.npz"))).toContain("found nothing");
});

test("a bad array is named", async () => {
  expect(await messageOf(() => readNpz(zipSync({ "mask.npy": strToU8("nonsense") }), "a.npz"))).toContain(
    'a.npz: array "mask" begins with the bytes 6e 6f 6e 73 65 6e',
  );
});
