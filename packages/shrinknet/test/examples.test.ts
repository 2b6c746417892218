/** The examples run, and the page of one of them shrinks a model in its own script. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, defaultClientConditions } from "vite";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shrinknet-examples-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [
    "node-script/shrink.mjs",
    /^(\d+ of 60 neurons gone: [\d.]+ % of the MACs, \d+ bytes, right [\d.]+ % -> [\d.]+ %\n){3}$/,
  ],
  [
    "own-criterion/compare.mjs",
    /^oracle .*\ntaylor2 .*\nmagnitude .*\nthroughput +right after 10, 20, 30 removals: ([\d.]+ %(, |\n)){3}$/,
  ],
  ["microcontroller/shrink.mjs", /^\d+ -> \d+ -> \d+ bytes; right .* int8 agrees on 9\d\.\d %\n$/],
  ["transformer/shrink.mjs", /^head .*\nhead dimension .*\nneuron .*\nneuron, head, width .* verified to \de-\d\n$/],
])("%s", (name, printed) => {
  const program = [
    "--conditions=source",
    "--import",
    `${root}node_modules/tsx/dist/esm/index.mjs`,
    join(root, "examples", name),
  ];
  expect(execFileSync(process.execPath, program, { cwd: folder, encoding: "utf8" })).toMatch(printed);
});

test("vite-page is built", async () => {
  const conditions = ["source", ...defaultClientConditions]; // without a build of the packages
  const outDir = join(folder, "page");
  await build({
    root: join(root, "examples/vite-page"),
    build: { outDir },
    resolve: { conditions },
    logLevel: "error",
  });
  const assets = readdirSync(join(outDir, "assets"));
  const kinds = assets.map((asset) => asset.split(".").at(-1)).filter((kind) => kind !== "js");
  expect(kinds.toSorted()).toEqual(["mjs", "mjs", "wasm", "wasm"]);
});
