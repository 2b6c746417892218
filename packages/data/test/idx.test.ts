import { expect, test } from "vitest";
import { isIdx, readIdx } from "../src/idx.ts";
import { idxFile, messageOf } from "./helpers.ts";

const errorOf = (bytes: Uint8Array) => messageOf(() => readIdx(bytes, "images"));

test("images and labels", () => {
  const images = readIdx(idxFile([2, 1, 3], [1, 2, 3, 4, 5, 255]), "images");
  expect(images.type).toBe("uint8");
  expect(images.dims).toEqual([2, 1, 3]);
  expect(Array.from(images.numbers)).toEqual([1, 2, 3, 4, 5, 255]);
  expect(readIdx(idxFile([300], new Uint8Array(300)), "labels").dims).toEqual([300]);
});

test("is told from other files", () => {
  expect(isIdx(idxFile([1], [0]))).toBe(true);
  expect(isIdx(Uint8Array.of(0, 0, 0, 0, 1))).toBe(false);
  expect(isIdx(Uint8Array.of(0, 0))).toBe(false);
});

test("other contents", async () => {
  expect(await errorOf(Uint8Array.of(1, 2, 3, 4, 5))).toBe(
    "images begins with the bytes 01 02 03 04, expected 00 00 08 03 (IDX images) or 00 00 08 01 (IDX labels). " +
      "Download or copy the file again.",
  );
});

test("other element types", async () => {
  expect(await errorOf(idxFile([1], [0, 0, 0, 0], 0x0d))).toContain("has IDX element type 0x0d, expected 0x08");
});

test("cut short or too long", async () => {
  const file = idxFile([2, 2, 2], new Uint8Array(8));
  expect(await errorOf(file.subarray(0, 10))).toContain("is cut short: it ends within the header, after 10 bytes");
  expect(await errorOf(file.subarray(0, 20))).toContain(
    "is cut short: it holds 4 bytes of data, expected 8 for [2, 2, 2]",
  );
  expect(await errorOf(idxFile([2], [1, 2, 3]))).toContain("has bytes left over: it holds 3 bytes of data, expected 2");
});
