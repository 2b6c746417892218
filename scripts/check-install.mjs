// As a user gets it: all packages are packed, installed from their tarballs into an empty folder without scripts, and tried there:
// the command, the library, the types of a strict consumer under both resolutions, and a page bundled by Vite.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(".");
const folder = mkdtempSync(join(tmpdir(), "shrinknet-install-"));
const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const runtime = JSON.parse(readFileSync("packages/runtime/package.json", "utf8")).devDependencies;

/** Runs a command in the empty folder; ends the check if it fails. */
function run(title, command, args, { from = folder } = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: from, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) {
    console.log(`${title}: failed\n${stdout}${stderr}`);
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  }
  console.log(`${title}: done`);
  return stdout;
}

if (spawnSync("npm", ["view", "zod", "version"], { timeout: 60_000 }).status !== 0) {
  console.log("install from tarballs: not tried, the registry cannot be reached");
  rmSync(folder, { recursive: true });
  process.exit(0);
}
const names = readdirSync("packages");
const tarballs = names.map((name) => {
  const [packed] = JSON.parse(
    run(`pack ${name}`, "npm", ["pack", "--json", "--pack-destination", folder], {
      from: join(root, "packages", name),
    }),
  );
  const kilobytes = Math.round(statSync(join(folder, packed.filename)).size / 1024);
  console.log(`  ${packed.filename}: ${kilobytes} kB, ${packed.entryCount} files`);
  return { name, file: `./${packed.filename}` };
});
writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
const install = ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
const needed = tarballs.filter(({ name }) => name !== "paper").map(({ file }) => file);
run("install from tarballs", "npm", [...install, ...needed, `onnxruntime-web@${runtime["onnxruntime-web"]}`]);
run("install the consumer's tools", "npm", [
  ...install,
  "-D",
  `typescript@${devDependencies.typescript}`,
  `vite@${devDependencies.vite}`,
  "@types/node@20",
]);

const version = run("npx shrinknet --version", "npx", ["shrinknet", "--version"]).trim();
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`version: got ${version}`);

const { stderr: without } = spawnSync("npx", ["shrinknet", "paper", "list"], { cwd: folder, encoding: "utf8" });
if (!without.includes("the experiments are not installed; run npm install @shrinknet/paper"))
  throw new Error(`paper: said ${without}`);

// a model made by the library's own parts, then pruned by the command without any choice, and by the library
writeFileSync(
  join(folder, "make.mjs"),
  `import { writeFileSync } from "node:fs";
import { emptyGraph, float32, GraphBuilder, writeModel } from "shrinknet/graph";
import { writeNpz } from "@shrinknet/data";
const numbers = (size, seed) => Array.from({ length: size }, (_, at) => Math.sin(at * 12.9 + seed));
const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
b.input("x", "float32", ["N", 8]);
const h = b.op("Relu", [b.op("MatMul", ["x", b.tensor(float32(numbers(8 * 32, 1), [8, 32]))])]);
const y = b.op("MatMul", [h, b.tensor(float32(numbers(32 * 4, 2), [32, 4]))]);
const graph = b.graph([{ name: y, type: "float32", shape: ["N", 4] }]);
writeFileSync("model.onnx", writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() }));
writeFileSync("calib.npz", writeNpz({ x: float32(numbers(8 * 200, 3), [200, 8]) }));
`,
);
run("a model by shrinknet/graph", "node", ["make.mjs"]);
run("npx shrinknet prune model.onnx --data calib.npz", "npx", [
  "shrinknet",
  "prune",
  "model.onnx",
  "--data",
  "calib.npz",
  "--quiet",
]);
if (!readdirSync(folder).includes("model.small.onnx")) throw new Error("model.small.onnx: was not written");

const consumer = `import { dataset, inspect, prune, type PruneOptions, ShrinkError } from "shrinknet";
import { readModel } from "shrinknet/graph";
import { nodeRunner } from "shrinknet/measure";
import type { Criterion } from "shrinknet/extend";
import { writeNpz } from "@shrinknet/data";
import { loadData } from "@shrinknet/data/node";

const mine: Criterion = { name: "mine", inErrorUnits: false, needsData: false, score: ({ left }) => Float64Array.from(left) };
const options: PruneOptions = { data: dataset({ x: [[1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1]] }), criterion: mine, remove: 3 };
const { bytes, summary } = await prune("model.onnx", { ...options, threads: 1 });
const parts: number = readModel(bytes).graph.nodes.length;
const { units } = await inspect("model.onnx", { runner: nodeRunner() });
if (units !== 32 || summary.after.units !== 29 || parts !== 3) throw new Error(\`units: \${units}, \${summary.after.units}\`);
if (!("x" in (await loadData("calib.npz")).inputs) || writeNpz({}).length === 0) throw new Error("data");
await prune("missing.onnx").catch((error: unknown) => {
  if (!(error instanceof ShrinkError) || error.code !== "file") throw error;
});
`;
writeFileSync(join(folder, "consumer.ts"), consumer);
for (const [module, resolution] of [
  ["NodeNext", "NodeNext"],
  ["ESNext", "Bundler"],
]) {
  const strict = [
    "--strict",
    "--exactOptionalPropertyTypes",
    "--target",
    "ES2022",
    "--types",
    "node",
    "--skipLibCheck",
    "false",
  ];
  const out = ["--outDir", `out-${resolution}`, "--module", module, "--moduleResolution", resolution];
  run(`types under ${resolution}`, "npx", ["tsc", ...strict, ...out, "consumer.ts"]);
}
run("the library", "node", ["out-NodeNext/consumer.js"]);

// a page: core, data and the browser's runtime
mkdirSync(join(folder, "page"));
writeFileSync(join(folder, "page", "index.html"), `<!doctype html><script type="module" src="./main.js"></script>`);
writeFileSync(
  join(folder, "page", "main.js"),
  `import { prune } from "@shrinknet/core";
import { readNpz } from "@shrinknet/data";
import { webRunner } from "@shrinknet/runtime/web";
globalThis.shrink = (model, npz) => prune(model, { runner: webRunner(), data: { source: "npz", inputs: readNpz(npz, "npz") }, compensate: "lstsq", budget: { targetMacs: 0.5 } });
`,
);
run("a page by Vite", "npx", ["vite", "build", "page", "--outDir", "dist", "--logLevel", "warn"]);
const assets = readdirSync(join(folder, "page", "dist", "assets"));
for (const suffix of [".js", ".wasm"])
  if (!assets.some((name) => name.endsWith(suffix))) throw new Error(`page: no ${suffix} among ${assets}`);
console.log(
  assets
    .map((name) => `  ${name}: ${Math.round(statSync(join(folder, "page", "dist", "assets", name)).size / 1024)} kB`)
    .join("\n"),
);
run("install the experiments", "npm", [...install, tarballs.find(({ name }) => name === "paper").file]);
run("npx shrinknet paper list", "npx", ["shrinknet", "paper", "list"]);
rmSync(folder, { recursive: true, force: true });
