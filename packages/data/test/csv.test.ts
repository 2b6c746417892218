import { describe, expect, test } from "vitest";
import { readCsv } from "../src/csv.ts";
import { bytesOf, messageOf } from "./helpers.ts";

const read = (text: string) => readCsv(bytesOf(text), "a.csv");
const errorOf = (text: string) => messageOf(() => read(text));

test("features and classes, with a header", () => {
  const { source, inputs, labels, targets } = read("width,height,class\n1.5,2,0\n-3e2,.5,2\n");
  expect(source).toBe("a.csv");
  expect(inputs.x?.type).toBe("float64");
  expect(inputs.x?.dims).toEqual([2, 2]);
  expect(Array.from(inputs.x?.numbers ?? [])).toEqual([1.5, 2, -300, 0.5]);
  expect([...(labels ?? [])]).toEqual([0, 2]);
  expect(targets).toBeUndefined();
});

test("no header, spaces, Windows lines, byte order mark, blank lines, no last newline", () => {
  const { inputs, labels } = read("\ufeff1, 2 ,0\r\n\r\n 3,4,1\r\n  \r\n5,6,1");
  expect(inputs.x?.dims).toEqual([3, 2]);
  expect(inputs.x?.type).toBe("int32");
  expect(Array.from(inputs.x?.numbers ?? [])).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...(labels ?? [])]).toEqual([0, 1, 1]);
});

test("a last column of other numbers is a target", () => {
  const { labels, targets } = read("1,0\n2,0.5");
  expect(labels).toBeUndefined();
  expect(targets?.type).toBe("float64");
  expect(targets?.dims).toEqual([2, 1]);
  expect(Array.from(targets?.numbers ?? [])).toEqual([0, 0.5]);
});

test("classes as 1.0 are classes; features beyond 32 bits stay exact", () => {
  const { inputs, labels } = read("5000000000,1.0\n1,0.0");
  expect(Array.from(inputs.x?.numbers ?? [])).toEqual([5e9, 1]);
  expect([...(labels ?? [])]).toEqual([1, 0]);
});

describe("errors", () => {
  test("no samples", async () => {
    const advice = "expected at least 1. Write one sample a line: features, then the class.";
    expect(await errorOf("\n \n")).toBe(`a.csv has no lines with numbers, ${advice}`);
    expect(await errorOf("a,b,c\n")).toBe(`a.csv has no lines with numbers after its header, ${advice}`);
  });

  test("one column", async () => {
    expect(await errorOf("1;2;0\n3;4;1")).toBe(
      "a.csv line 1: has 1 column, expected at least 2 with commas between. " +
        "Write one sample a line: features, then the class.",
    );
  });

  test("ragged lines", async () => {
    expect(await errorOf("1,2,0\n\n1,2")).toBe(
      "a.csv line 3: has 2 columns, but the first line has 3. Give every line the same columns.",
    );
    expect(await errorOf("a,b,c\n1,2,3,4")).toContain("line 2: has 4 columns, but the header has 3");
  });

  test("cells that are no numbers", async () => {
    expect(await errorOf("a,b,c\n1,2,0\n1,two,0")).toBe(
      'a.csv line 3, column 2 (b): found "two", expected a finite number. Repair or remove that line.',
    );
    expect(await errorOf("1,2,0\n1,,0")).toContain("line 2, column 2: the cell is empty, expected a finite number");
    expect(await errorOf("1,2,0\n1,2,setosa")).toBe(
      'a.csv line 2, column 3: found "setosa", expected a finite number. Write classes as whole numbers from 0.',
    );
    expect(await errorOf("1,2,0\n1,0x10,0")).toContain('found "0x10"');
  });

  test.each(["nan", "NaN", "inf", "-Infinity", "", "1e999"])("%j in the first line is no header", async (cell) => {
    expect(await errorOf(`1,${cell},0\n1,2,0`)).toContain("line 1, column 2");
  });

  test("over the length of a string", async () => {
    const huge = { length: 2 ** 29 } as Uint8Array;
    expect(await messageOf(() => readCsv(huge, "a.csv"))).toContain(
      "a.csv has 536870912 bytes, expected at most 536870887",
    );
  });
});
