import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readWhole } from "../src/read-whole.ts";

const folder = mkdtempSync(join(tmpdir(), "shrinknet-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a file that is larger than one part is read part by part", async () => {
  const path = join(folder, "data");
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  writeFileSync(path, bytes);
  for (const part of [1, 300, 999, 1000, 5000]) expect(await readWhole(path, part)).toEqual(bytes);
  await expect(readWhole(join(folder, "none"))).rejects.toMatchObject({ code: "ENOENT" });
});
