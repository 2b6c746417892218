/** The documentation is true: every command and code block of README and docs runs, and the reference is what the command says. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Model, tensorOf, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import sharp from "sharp";
import { build, defaultClientConditions } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reference } from "../../../scripts/reference.ts";
import { model, node, random } from "../../core/test/support/build.ts";
import { run } from "../src/cli.ts";
import { Workplace } from "./support.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const pages = ["README.md", "packages/shrinknet/README.md", ...pagesIn("docs")].filter(
  (page) => !page.includes("pruning-from-scratch"),
);

function pagesIn(folder: string): string[] {
  const found = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return found.filter((name) => name.endsWith(".md")).map((name) => join(folder, name));
}

const r = random(8);
/** x[N, 1, 8, 8] -> `conv` of 8 channels -> dense of 12 -> 3 classes, with a second output where `heads`. */
const convolutional = ({ heads = false, channels = 1 } = {}): Model =>
  model({
    inputs: { x: ["N", channels, 8, 8] },
    outputs: heads ? ["class", "size"] : ["y"],
    initializers: {
      k: r.tensor([8, channels, 3, 3]),
      b: r.tensor([8]),
      w: r.tensor([8, 12]),
      v: r.tensor([12, 3]),
      u: r.tensor([12, 2]),
    },
    nodes: [
      node("Conv", ["x", "k", "b"], ["c"], { pads: [1, 1, 1, 1] }, { name: "conv" }),
      node("Relu", ["c"], ["a"]),
      node("GlobalAveragePool", ["a"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("MatMul", ["f", "w"], ["h"], {}, { name: "dense" }),
      node("Tanh", ["h"], ["t"]),
      node("MatMul", ["t", "v"], [heads ? "class" : "y"]),
      ...(heads ? [node("MatMul", ["t", "u"], ["size"])] : []),
    ],
  });

/** x[1, 1, 4] and a state of 6 -> a recurrent layer -> dense of 10 -> y, and the next state. */
const streaming = (): Model =>
  model({
    inputs: { x: [1, 1, 4], state: [1, 1, 6] },
    outputs: ["y", "next"],
    initializers: {
      first: tensorOf("int64", [0], [1]),
      w: r.tensor([1, 6, 4]),
      s: r.tensor([1, 6, 6], 0.3),
      d: r.tensor([6, 10]),
      v: r.tensor([10, 2]),
    },
    nodes: [
      node("RNN", ["x", "w", "s", "", "", "state"], ["all", "next"], { hidden_size: 6 }),
      node("Squeeze", ["next", "first"], ["h"]),
      node("MatMul", ["h", "d"], ["m"], {}, { name: "dense" }),
      node("Tanh", ["m"], ["t"]),
      node("MatMul", ["t", "v"], ["y"]),
    ],
  });

const place = new Workplace();
beforeAll(async () => {
  const classes = (count: number) =>
    tensorOf(
      "int64",
      Array.from({ length: count }, (_, at) => at % 3),
      [count],
    );
  place.write("model.onnx", writeModel(convolutional()));
  place.write("mobilenet.onnx", writeModel(convolutional({ channels: 3 })));
  place.write("heads.onnx", writeModel(convolutional({ heads: true })));
  place.write("stream.onnx", writeModel(streaming()));
  place.write("calib.npz", writeNpz({ x: r.tensor([80, 1, 8, 8]), y: classes(80) }));
  place.write("test.npz", writeNpz({ x: r.tensor([60, 1, 8, 8]), y: classes(60) }));
  place.write("unlabelled.npz", writeNpz({ x: r.tensor([80, 1, 8, 8]) }));
  place.write("heads.npz", writeNpz({ x: r.tensor([80, 1, 8, 8]), y_class: classes(80) }));
  place.write("stream.npz", writeNpz({ x: r.tensor([40, 1, 1, 4]), state: r.tensor([40, 1, 1, 6]) }));
  for (const [at, name] of ["one", "two", "three"].entries()) {
    mkdirSync(place.path(`images/${name}`), { recursive: true });
    for (let image = 0; image < 8; image++) {
      const pixels = Buffer.from(Array.from({ length: 12 * 12 }, (_, i) => (i * (at + 2) * 7 + image * 31) % 256));
      await sharp(pixels, { raw: { width: 12, height: 12, channels: 1 } })
        .png()
        .toFile(place.path(`images/${name}/${image}.png`));
    }
  }
});
afterAll(() => place.remove());

/** Long runs with tests of their own, and what serves until it is ended (`scripts/check-studio.mjs`). */
const ELSEWHERE = /^(paper|studio)\b/;

/** Lines of all blocks that begin with the command, in the folder of the examples. */
function commandsIn(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  const blocks = [...text.matchAll(/```(?:sh)?\n(.*?)```/gs)].flatMap(([, block = ""]) => block.split("\n"));
  return blocks.flatMap((line) => {
    const [, command] = /^(?:npx shrinknet|npm run shrinknet --) (.*?)\s*(?:#.*)?$/.exec(line.trim()) ?? [];
    return command && !ELSEWHERE.test(command) ? [command.replace(/\s+/g, " ")] : [];
  });
}

const codeIn = (page: string): { readonly file: string | undefined; readonly code: string }[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/```ts(?: file=(\S+))?\n(.*?)```/gs)].map(
    ([, file, code = ""]) => ({ file, code }),
  );

describe.each(pages)("%s", (page) => {
  const commands = commandsIn(page);
  const blocks = codeIn(page);
  for (const { file, code } of blocks) if (file) beforeAll(() => void place.write(file, code));

  test.runIf(commands.length > 0)("its commands run", async () => {
    const before = process.cwd();
    process.chdir(place.folder);
    try {
      for (const command of commands) {
        let said = "";
        const output = {
          write(text: string) {
            said += text;
          },
        };
        const io = {
          stdout: output,
          stderr: output,
          colors: false,
          terminal: undefined,
          env: {},
          onInterrupt: () => () => {},
        };
        const code = await run(command.split(" "), io);
        expect(`${command}: ${code === 0 ? 0 : said}`).toBe(`${command}: 0`);
      }
    } finally {
      process.chdir(before);
    }
  });

  test.runIf(blocks.some(({ file }) => !file))("its programs run", () => {
    for (const { file, code } of blocks) {
      if (file) continue;
      const path = join(root, "node_modules", `.docs-${process.pid}.mts`); // where packages are found
      writeFileSync(path, `process.chdir(${JSON.stringify(place.folder)});\n${code}\nexport {};\n`);
      const program = ["--conditions=source", "--import", "tsx", path];
      expect(() => execFileSync(process.execPath, program, { cwd: root, encoding: "utf8" })).not.toThrow();
    }
  });
});

test("the program of the browser's guide is a page that Vite builds; scripts/check-page.mjs runs the same in Chromium", async () => {
  const [, code = ""] = /```js\n(.*?)```/s.exec(readFileSync(join(root, "docs/guides/browser.md"), "utf8")) ?? [];
  const folder = join(root, "node_modules", `.page-${process.pid}`); // where packages are found
  mkdirSync(folder);
  try {
    writeFileSync(
      join(folder, "main.js"),
      `const [model, npz] = [new Uint8Array(), new Uint8Array()];\n${code}\nglobalThis.bytes = bytes;\n`,
    );
    writeFileSync(join(folder, "index.html"), '<script type="module" src="./main.js"></script>');
    const conditions = ["source", ...defaultClientConditions];
    await build({ root: folder, resolve: { conditions }, build: { target: "es2022" }, logLevel: "error" });
    expect(readdirSync(join(folder, "dist/assets")).some((name) => name.endsWith(".wasm"))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the reference is what the command says: npm run reference writes it again", async () => {
  for (const [name, text] of Object.entries(await reference())) {
    expect(readFileSync(join(root, "docs/reference", name), "utf8")).toBe(text);
  }
});

test("links between pages lead somewhere", () => {
  for (const page of pages) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      expect(() => readFileSync(join(root, page, "..", target))).not.toThrow();
    }
  }
});
