import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { features } from "../../../../bench/features.ts";

test("FEATURES.md is what the operator table says (npm run features)", async () => {
  expect(await readFile(new URL("../../../../FEATURES.md", import.meta.url), "utf8")).toBe(features());
});
