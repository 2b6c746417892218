import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeRunner } from "@shrinknet/runtime/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PaperSummary, runPaper } from "../src/run.ts";
import { shrunk } from "./small.ts";

let folder = "";
const told: [text: string, share: number][] = [];
const summaries: PaperSummary[] = [];
const options = (out: string, cache: string) => ({
  experiments: [shrunk("cosine-small", [4, 3]), shrunk("mnist-2layer", [4, 3])],
  ...{ runner: nodeRunner(), seeds: 2, out: join(folder, out), cache: join(folder, cache) },
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shrinknet-paper-"));
  const onProgress = (text: string, share: number): void => void told.push([text, share]);
  summaries.push(await runPaper({ ...options("first", "cache"), onProgress }));
  summaries.push(await runPaper(options("second", "cache")));
  summaries.push(await runPaper(options("third", "other cache")));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function files(out: string): Promise<string[]> {
  return (await readdir(join(folder, out), { recursive: true })).filter((name) => /\.\w+$/.test(name)).sort();
}

const read = (out: string, name: string): Promise<string> => readFile(join(folder, out, name), "utf8");

test("a second run trains nothing, and a run with an empty cache trains the same networks", () => {
  const cached = summaries.map(({ experiments }) =>
    experiments.flatMap(({ seeds }) => seeds.map((seed) => seed.cached)),
  );
  expect(cached).toEqual([Array(4).fill(false), Array(4).fill(true), Array(4).fill(false)]);
  const errors = summaries.map(({ experiments }) =>
    experiments.flatMap(({ seeds }) => seeds.map((seed) => seed.error)),
  );
  expect(errors[1]).toEqual(errors[0]);
  expect(errors[2]).toEqual(errors[0]);
  expect(new Set(errors[0]).size).toBe(4);
});

test("every file is the same bytes, from the cache or trained anew", async () => {
  const names = await files("first");
  for (const other of ["second", "third"]) {
    expect(await files(other)).toEqual(names);
    for (const name of names) expect(await read(other, name), name).toBe(await read("first", name));
  }
  const common = [
    "claims.csv",
    "rankings.csv",
    "causes.csv",
    "causes-pairs.svg",
    "index.html",
    "cosine-small/bands.csv",
  ];
  expect(names).toEqual(expect.arrayContaining(common));
  expect(names.filter((name) => name.startsWith("cosine-small/seed-2/"))).toEqual(
    [
      ...["agreement.csv", "analysis.html", "causes.svg", "costs.csv"],
      ...["curves.csv", "error-rerank-calibration.svg", "error-rerank-test.svg"],
      ...[
        "gain-intuition.svg",
        "gains-oracle-log.svg",
        "gains-oracle-real.svg",
        "gains-taylor1-log.svg",
        "gains-taylor1-real.svg",
      ],
      ...["gains-taylor2-log.svg", "gains-taylor2-real.svg", "gains.csv"],
      ...[
        "interactions.svg",
        "layers-oracle-rerank.svg",
        "layers-taylor1-rerank.svg",
        "layers-taylor2-rerank.svg",
        "layers.csv",
      ],
      ...["pairs.csv", "partners.csv", "partners.svg"],
    ].map((name) => `cosine-small/seed-2/${name}`),
  );
});

test("the curves go down to no units, in both schedules where the paper has both", async () => {
  const rows = (await read("first", "mnist-2layer/seed-1/curves.csv")).trim().split("\n");
  expect(rows[0]).toBe("criterion,schedule,removed,error,accuracy,testError,testAccuracy,group,unit,layer,predicted");
  expect(rows).toHaveLength(1 + (3 * 2 + 1) * (1 + 7)); // and the exact parabola, under rerank
  const last = rows.filter((row) => row.split(",")[2] === "7").map((row) => row.split(",")[3]);
  expect(new Set(last.map((error) => Number(error).toPrecision(5))).size).toBe(1); // no units: the same whoever chose
});

test("gain curves: the paper's gains for removals 0, 3, 6 of each criterion, at gain 1 the error of that stage", async () => {
  const [head = "", ...rows] = (await read("first", "cosine-small/seed-1/gains.csv")).trim().split("\n");
  expect(head).toBe("criterion,removed,layer,unit,gain,error,errorAtGain1,tangentAtGain0,parabolaAtGain0");
  expect(rows).toHaveLength(3 * 3 * 1001);
  const curves = (await read("first", "cosine-small/seed-1/curves.csv")).split("\n").map((row) => row.split(","));
  for (const row of rows.filter((one) => one.split(",")[4] === "1")) {
    const [criterion, removed, , , , error] = row.split(",");
    const stage = curves.find(([one, , at]) => one === criterion && at === removed)?.[3];
    expect(Math.abs(Number(error) / Number(stage) - 1)).toBeLessThan(1e-4);
  }
});

test("the page has every figure with a sentence, and progress rises to the end", async () => {
  const html = await read("first", "index.html");
  expect(html.match(/<svg /g)).toHaveLength(html.match(/<figcaption>/g)?.length ?? 0);
  expect(html).toContain("while removing");
  expect(html).not.toMatch(/NaN|undefined/);
  const shares = told.map(([, share]) => share);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect(shares.at(-1)).toBeLessThanOrEqual(1);
});
