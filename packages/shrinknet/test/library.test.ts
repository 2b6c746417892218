/** The library as users call it: paths, bytes, arrays, defaults, criteria of their own; the same as the command. */
import { readFileSync } from "node:fs";
import { writeNpz } from "@shrinknet/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Criterion } from "../src/extend.ts";
import { readModel } from "../src/graph.ts";
import * as library from "../src/index.ts";
import { denseModel, samplesFor, Workplace } from "./support.ts";

const place = new Workplace();
beforeAll(() => place.fill());
afterAll(() => place.remove());

const { analyze, applyPlan, compare, dataset, evaluate, inspect, prune } = library;
const at = (name: string): string => place.path(name);

test("the door: what is added or lost shows here", () => {
  expect(Object.keys(library).sort()).toEqual([
    ...["ShrinkError", "UNIT_KINDS", "analyze", "applyPlan", "compare", "criteria", "dataset", "evaluate", "inspect"],
    ...["loadData", "objectives", "parsePlan", "prune"],
  ]);
});

test("three lines: paths in, a verified file out, as the command writes it", async () => {
  const { bytes, summary } = await prune(at("digits.onnx"), {
    data: at("calib.npz"),
    targetMacs: 0.6,
    out: at("by-library.onnx"),
  });
  expect(new Uint8Array(place.read("by-library.onnx"))).toEqual(bytes);
  expect(summary).toMatchObject({ compensation: "lstsq", model: at("digits.onnx") });
  expect(summary.latency).toBeDefined();
  await place.run("prune digits.onnx --data calib.npz --target-macs 60% --out by-command.onnx --quiet");
  expect(new Uint8Array(place.read("by-command.onnx"))).toEqual(bytes);
});

test("without --out the command writes beside the model", async () => {
  const { code } = await place.run("prune digits.onnx --data calib.npz --remove 3 --quiet");
  expect(code).toBe(0);
  expect(readModel(new Uint8Array(place.read("digits.small.onnx"))).graph.outputs).toHaveLength(1);
});

test("bytes, arrays and numbers; every verb", async () => {
  const file = new Uint8Array(place.read("digits.onnx"));
  const { x, y } = await samplesFor(denseModel([8, 6, 5, 3]), 64, 2);
  const data = { x, y } as Parameters<typeof dataset>[0];
  const { plan, summary, bytes } = await prune(file, { data, remove: 4, latency: false });
  expect(summary).toMatchObject({
    compensation: "none",
    criterion: "oracle",
    before: { units: 11 },
    after: { units: 7 },
  });
  expect(summary.latency).toBeUndefined();
  expect((await applyPlan(file, library.parsePlan(JSON.stringify(plan)), { data })).bytes).toEqual(bytes);
  expect((await inspect(file)).units).toBe(11);
  const agreed = await evaluate(bytes, { data: dataset(data), against: file });
  expect(agreed.outputs[0]?.agreement).toBeGreaterThan(0.3);
  expect((await compare(file, { data, criteria: ["magnitude"], budget: { remove: { count: 2 } } })).runs).toHaveLength(
    1,
  );
  expect((await analyze(file, { data, remove: { count: 2 }, steps: 1 })).model).toBe("the model");
});

test("an aborted run resolves with what there is, and writes nothing", async () => {
  const abort = new AbortController();
  const { summary } = await prune(at("digits.onnx"), {
    ...{ data: at("calib.npz"), remove: 6, signal: abort.signal, out: at("never.onnx") },
    onProgress: ({ removed }) => {
      if (removed >= 2) abort.abort();
    },
  });
  expect(summary.stopped).toBe("interrupted");
  expect(Object.keys(place.files()).some((path) => path.includes("never"))).toBe(false);
});

test("what is wrong is a ShrinkError with the name of the file", async () => {
  await expect(prune("missing.onnx")).rejects.toThrow(
    "missing.onnx: no such file, expected an ONNX file; check the path",
  );
  const itself = prune(at("digits.onnx"), { data: at("calib.npz"), out: at("digits.onnx") });
  await expect(itself).rejects.toThrow(/is the same file as the model/);
});

const last = `import type { Criterion } from "shrinknet/extend";
const biggestFirst: Criterion = {
  name: "biggest number first",
  inErrorUnits: false,
  needsData: false,
  score: ({ left }) => {
    const scores = new Float64Array(Math.max(...left) + 1);
    for (const unit of left) scores[unit] = -unit;
    return scores;
  },
};
export default biggestFirst;
`;

test("a criterion of one's own, from a TypeScript module and as a value", async () => {
  place.write("mine.ts", last);
  const { code, stderr } = await place.run(
    `prune digits.onnx --criterion ${at("mine.ts")} --remove 2 --out own.onnx --quiet`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const own: Criterion = {
    ...{ name: "biggest number first", inErrorUnits: false, needsData: false },
    score: ({ left }) => Float64Array.from({ length: Math.max(...left) + 1 }, (_, unit) => -unit),
  };
  const { bytes, plan } = await prune(at("digits.onnx"), { criterion: own, remove: 2 });
  expect(plan.criterion).toBe("biggest number first");
  expect(new Uint8Array(readFileSync(at("own.onnx")))).toEqual(bytes);
  const { stdout } = await place.run(
    `compare digits.onnx --data calib.npz --criteria magnitude,${at("mine.ts")} --remove 2 --json --quiet`,
  );
  expect(JSON.parse(stdout).runs.map((run: { criterion: string }) => run.criterion)).toContain("biggest number first");
});

test("an objective of one's own", async () => {
  place.write(
    "absolute.ts",
    `import { objectives } from "shrinknet";
export const objective = { ...objectives.match, name: "mine" };
`,
  );
  place.write("unlabelled.npz", writeNpz({ x: (await samplesFor(denseModel([8, 6, 5, 3]), 64, 2)).x as never }));
  const { stdout, stderr } = await place.run(
    `evaluate digits.onnx --data unlabelled.npz --objective ${at("absolute.ts")} --json`,
  );
  expect(stderr).toBe("");
  expect(JSON.parse(stdout).objective).toBe("mine");
});

test("modules that are none, or export something else, are told of", async () => {
  place.write("other.ts", "export default 3;\n");
  const prefix = "prune digits.onnx --data calib.npz --remove 1 --out o.onnx --criterion";
  await place.fails(
    `${prefix} ${at("other.ts")}`,
    2,
    "exports no criterion, expected { name, inErrorUnits, needsData, score } as default",
  );
  await place.fails(`${prefix} ${at("none.ts")}`, 2, "cannot be loaded as a module");
});
