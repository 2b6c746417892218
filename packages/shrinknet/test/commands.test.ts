/** Each command does what it says. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { applyJson, compareJson, evaluateJson, gainJson, inspectJson, pruneJson } from "../src/json/schemas.ts";
import { Workplace } from "./support.ts";

const place = new Workplace();
beforeAll(() => place.fill());
afterAll(() => place.remove());

/** The one JSON object that a command prints, checked. */
async function json<Schema extends z.ZodType>(line: string, schema: Schema): Promise<z.infer<Schema>> {
  const { code, stdout, stderr } = await place.run(`${line} --json`);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return schema.parse(JSON.parse(stdout));
}

/** A mean over the samples as their sum: of 64 in calib.npz, 48 in test.npz. */
const summed = (error: number | null | undefined, samples = 64): number => samples * (error ?? Number.NaN);

const rowsOf = (name: string): string[][] =>
  place
    .text(name)
    .trimEnd()
    .split("\n")
    .map((line) => line.split(","));

test("inspect", async () => {
  const { code, stdout, stderr } = await place.run("inspect digits.onnx");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatchInlineSnapshot(`
    "digits.onnx: opset 17, 107 parameters, 93 MACs per sample
    input x: float32 [N, 8]
    output y: float32 [N, 3]

    group  kind    units  cut from
    fc1    neuron      6  fc1.weight[:,i], fc1.bias[i], fc2.weight[i]
    fc2    neuron      5  fc2.weight[:,i], fc2.bias[i], fc3.weight[i]

    frozen  units  why
    fc3         3  output "y" of the model

    11 of 14 units (78.6 %) can be removed.
    97.2 % of the parameters and 100.0 % of the MACs depend on them.

    obstacle              units  parameters    MACs
    outputs of the model      3      16.8 %  16.1 %
    "
  `);
  const result = await json("inspect digits.onnx", inspectJson);
  expect(result.groups.map(({ id, size }) => [id, size])).toEqual([
    ["fc1", 6],
    ["fc2", 5],
  ]);
  expect(result.units).toBe(11);
  expect(result.removable.units).toBeCloseTo(11 / 14);
  expect(result.obstacles.map(({ reason }) => reason)).toEqual(["outputs of the model"]);
});

test("--kinds says which units may go, --fix which inputs are constants; both refuse what they do not know", async () => {
  const channels = await json("inspect digits.onnx --kinds channels,heads", inspectJson);
  expect(channels.groups).toEqual([]);
  expect(channels.frozen.map(({ reason }) => reason)).toContain(
    "units of kind neuron are removed only where they are asked for (--kinds)",
  );
  expect((await json("inspect digits.onnx --kinds all", inspectJson)).units).toBe(11);
  const fixed = await json("inspect digits.onnx --fix x=0.5", inspectJson);
  expect(fixed.inputs).toEqual([]);
  const refused = await place.run("inspect digits.onnx --kinds layers");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('"layers" is no kind of units, expected neurons, channels');
  const unknown = await place.run("inspect digits.onnx --fix rate=1");
  expect(unknown.stderr).toContain("fixed input rate: the model has no such input, expected one of x");
});

test("inspect draws the network", async () => {
  const { code, stdout } = await place.run("inspect digits.onnx --graph digits.svg");
  expect(code).toBe(0);
  expect(stdout).toContain("wrote digits.svg");
  expect(place.read("digits.svg").toString()).toMatch(/^<svg .*fc1.*<\/svg>$/s);
  expect((await place.run("inspect digits.onnx --graph digits.onnx")).stderr).toContain(
    "is the same file as the model",
  );
});

describe("evaluate", () => {
  test("prints error and accuracy", async () => {
    const { code, stdout } = await place.run("evaluate digits.onnx --data test.npz");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^digits.onnx on 48 samples of test.npz\nerror +[\d.]+ a sample \(cross-entropy\)\naccuracy +87.50 %\n/,
    );
  });

  test("--json", async () => {
    const result = await json("evaluate digits.onnx --data test.npz --objective sse --threads 1", evaluateJson);
    expect(result).toMatchObject({ samples: 48, objective: "sse", accuracy: 0.875, parameters: 107 });
    expect(result.bytes).toBe(place.read("digits.onnx").byteLength);
    expect(result.runner).toMatch(/^onnxruntime-node .*1 thread$/);
  });
});

describe("prune", () => {
  test("prints in a few lines how much smaller, faster and worse the model is, and that it is verified", async () => {
    const { stdout } = await place.run(
      "prune digits.onnx --data calib.npz --test test.npz --remove 4 --out brief.onnx",
    );
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    const said = stdout.replace(/[\d.]+ s\)/, "0.1 s)").replace(/difference [^;]*/, "difference 0");
    expect(said.replace(/.*(faster|SLOWER).*\n/, "")).toMatchInlineSnapshot(`
      "digits.onnx -> brief.onnx: removed 4 of 11 units (oracle, 0.1 s)
      smaller:  779 -> 602 bytes, 107 -> 63 parameters, 57.0 % of the MACs left
      worse:    accuracy 87.50 % -> 54.17 % on test samples (drop 33.33 points, 95.0 % interval 17.93 to 46.07)
      verified: largest difference 0; stopped: removed 4 of 11 units as asked
      "
    `);
  });

  test("prints with --details sizes, quality, widths, why it stopped and what was written", async () => {
    const { code, stdout, stderr } = await place.run(
      "prune digits.onnx --data calib.npz --test test.npz --remove 4 --out told.onnx --no-latency --plan told.json --details",
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replace(/[\d.]+ s\)/, "0.1 s)").replace(/difference .*/, "difference 0")).toMatchInlineSnapshot(`
      "digits.onnx: removed 4 of 11 units (oracle, rerank, objective cross-entropy, 0.1 s)

                           before    after         change
      units                    11        7        -36.4 %
      parameters              107       63        -41.1 %
      MACs per sample          93       53        -43.0 %
      file size in bytes      779      602        -22.7 %
      error                0.7676   0.7856         +2.3 %
      accuracy            87.50 %  65.63 %  -21.88 points
      test error           0.7445    1.004        +34.9 %
      test accuracy       87.50 %  54.17 %  -33.33 points

      accuracy drop on test samples: 33.33 points (95.0 % interval 17.93 to 46.07)

      layer  kind    before  after
      fc1    neuron       6      4
      fc2    neuron       5      3

      38 candidate evaluations, 6 times less arithmetic than brute force; all picks proved best

      stopped: removed 4 of 11 units as asked
      verified: largest difference 0
      wrote told.onnx, told.json
      "
    `);
  });

  test("--json, and the written file has the size and quality that it says", async () => {
    const result = await json(
      "prune digits.onnx --data calib.npz --test test.npz --remove 40% --out small.onnx --plan plan.json --trace trace.csv --report report.html",
      pruneJson,
    );
    expect(result).toMatchObject({ criterion: "oracle", schedule: "rerank", objective: "cross-entropy", seed: 0 });
    expect(result.removed).toHaveLength(4);
    expect(result.after.units).toBe(7);
    for (const [data, said] of [
      ["calib.npz", result.after],
      ["test.npz", result.after.test],
    ] as const) {
      const now = await json(`evaluate small.onnx --data ${data}`, evaluateJson);
      expect(now.accuracy).toBe(said?.accuracy);
      expect(summed(now.error, now.samples)).toBeCloseTo(summed(said?.error, now.samples), 4);
      expect(now).toMatchObject({
        parameters: result.after.parameters,
        macs: result.after.macs,
        bytes: result.after.bytes,
      });
    }
    const [head, ...rows] = rowsOf("trace.csv");
    expect(head?.join()).toBe(
      "step,group,unit,layer,score,predicted,error,accuracy,testError,testAccuracy,parameters,macs,heldOutError,heldOutAccuracy,instead",
    );
    expect(rows.map((row) => row[2])).toEqual(result.removed.map((row) => String(row.unit)));
    expect(place.text("report.html")).toContain("<html");
  });

  test("apply makes the same file from the plan", async () => {
    const result = await json("apply digits.onnx plan.json --out again.onnx", applyJson);
    expect(place.read("again.onnx").equals(place.read("small.onnx"))).toBe(true);
    expect(result.before.units - result.after.units).toBe(4);
    const { stdout } = await place.run("apply digits.onnx plan.json --out again.onnx");
    expect(stdout).toMatch(/^digits.onnx: removed 4 of 11 units as plan.json says\n/);
    expect(stdout).toMatch(/verified: largest difference .*\nwrote again.onnx\n$/);
  });

  test("needs no data for magnitude; unknown errors are null", async () => {
    const result = await json("prune digits.onnx --criterion magnitude --remove 5 --out bare.onnx", pruneJson);
    expect(result).toMatchObject({ objective: "none", evaluations: 0, before: { error: null } });
    const { stdout } = await place.run("prune digits.onnx --criterion magnitude --remove 5 --out bare.onnx");
    expect(stdout).not.toMatch(/error|NaN/);
  });

  test("--target-bytes, --align, --no-latency", async () => {
    const line = "prune digits.onnx --data calib.npz --test test.npz --out tight.onnx --best-effort";
    const tight = await json(`${line} --target-bytes 650`, pruneJson);
    expect(tight.after.bytes).toBeLessThanOrEqual(650);
    expect(place.read("tight.onnx").byteLength).toBe(tight.after.bytes);
    expect(tight.latency?.runs).toBeGreaterThan(10);
    expect(tight.latency?.threads).toBeGreaterThan(0);
    const even = await json(`${line} --target-bytes 70% --align 2 --no-latency`, pruneJson);
    for (const { before, after } of even.layers) expect(before === after || after % 2 === 0).toBe(true);
    expect(even.latency).toBeUndefined();
    const { stdout } = await place.run(`${line} --target-bytes 650 --threads 1 --details`);
    expect(stdout).toMatch(
      /[\d.]+ times (faster|slower): [\d.e-]+ -> [\d.e-]+ ms a sample \(interval [\d.]+ to [\d.]+; median of \d+ runs of each in turns, 1 thread\)/,
    );
  });

  test("--hold-out and --confidence", async () => {
    const line = "prune digits.onnx --data calib.npz --out sure.onnx --max-accuracy-drop 40%";
    const { stdout } = await place.run(`${line} --hold-out 25% --details`);
    expect(stdout).toContain(
      "held out: 16 calibration samples (25.0 %) that no unit was scored on; used for the limit on the accuracy, with all others\n",
    );
    expect(stdout).toMatch(
      /\naccuracy drop on held-out samples: -?[\d.]+ points \(95.0 % interval -?[\d.]+ to [\d.]+\)\n/,
    );
    const result = await json(`${line} --confidence 90% --hold-out 50%`, pruneJson);
    expect(result.heldOut).toMatchObject({ samples: 32, share: 0.5, usedFor: "the limit on the accuracy, alone" });
    expect(result.answers?.heldOut?.drop.high).toBeLessThanOrEqual(0.4);
    expect(result.answers?.calibration.classes.map((one) => one.class)).toEqual([0, 1, 2]);
  });

  test("--compensate lstsq --criterion obs, and the report shows what that bought", async () => {
    const line = "prune digits.onnx --data calib.npz --test test.npz --remove 5 --compensate lstsq --criterion obs";
    const result = await json(`${line} --out fitted.onnx --plan fitted.json --report fitted.html`, pruneJson);
    expect(result).toMatchObject({ criterion: "obs", compensation: "lstsq", after: { units: 6 } });
    const curves = result.compensationCurves ?? [];
    expect(curves.map(({ compensation }) => compensation)).toEqual(["none", "mean", "lstsq"]);
    for (const { points } of curves) {
      expect(points.map(({ removed }) => removed)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(points.every(({ test: held }) => held !== undefined)).toBe(true);
    }
    expect(place.text("fitted.html")).toContain("What compensation bought");
    const now = await json("evaluate fitted.onnx --data test.npz", evaluateJson);
    expect(summed(now.error, 48)).toBeCloseTo(summed(result.after.test?.error, 48), 3);
    const { stdout } = await place.run(`${line} --out fitted.onnx --details`);
    expect(stdout).toContain("(obs, rerank, objective cross-entropy, compensation lstsq, ");
  });

  test("a plan with compensation is replayed on its samples", async () => {
    await json("apply digits.onnx fitted.json --data calib.npz --out refitted.onnx", applyJson);
    const [once, again] = [
      await json("evaluate fitted.onnx --data test.npz", evaluateJson),
      await json("evaluate refitted.onnx --data test.npz", evaluateJson),
    ];
    expect(summed(again.error, 48)).toBeCloseTo(summed(once.error, 48), 3);
    const needs = /^shrinknet: compensation lstsq: needs data, expected samples; give them with --data\n$/;
    await place.fails("apply digits.onnx fitted.json --out bare.onnx", 1, needs);
  });

  test("a plan remembers which samples were held out of the repair", async () => {
    const line = "prune digits.onnx --data calib.npz --compensate lstsq --criterion obs --remove 5 --hold-out 25%";
    const result = await json(`${line} --out held.onnx --plan held.json`, pruneJson);
    await json("apply digits.onnx held.json --data calib.npz --out reheld.onnx", applyJson);
    expect(JSON.parse(place.text("held.json"))).toMatchObject({ holdOut: 0.25 });
    const again = await json("evaluate reheld.onnx --data calib.npz", evaluateJson);
    // a quarter of 64 samples is held out
    const sum = summed(result.after.error, 48) + summed(result.after.heldOut?.error, 16);
    expect(summed(again.error)).toBeCloseTo(sum, 3);
  });

  test("--polish", async () => {
    const line = "prune digits.onnx --data calib.npz --criterion random --remove 5 --polish --out polished.onnx";
    const result = await json(`${line} --plan polished.json --trace polished.csv --report polished.html`, pruneJson);
    expect(result.polish?.swaps).toBeGreaterThan(0);
    expect(result.polish?.errorAfter).toBeLessThan(result.polish?.errorBefore ?? 0);
    expect(summed(result.after.error)).toBeCloseTo(summed(result.polish?.errorAfter), 3);
    expect(JSON.parse(place.text("polished.json"))).toMatchObject({ polished: true });
    expect(rowsOf("polished.csv").map((row) => row.at(-1))).toContain(
      String(result.removed.find(({ instead }) => instead !== undefined)?.instead),
    );
    expect(place.text("polished.html")).toContain("Polish: ");
    await json("apply digits.onnx polished.json --out again.onnx", applyJson);
    expect(place.read("again.onnx").equals(place.read("polished.onnx"))).toBe(true);
    const { stdout } = await place.run(`${line} --details`);
    expect(stdout).toMatch(/\npolish: \d swaps? in \d+ trials; error [\d.]+ -> [\d.]+, no further swap lowers it\n/);
  });

  test("stops at a limit, and traces JSON lines", async () => {
    const result = await json(
      "prune digits.onnx --data calib.npz --max-error-rise 2% --trace trace.jsonl --out limit.onnx",
      pruneJson,
    );
    expect(result.stopped).toMatch(/^one more removal would raise the error/);
    expect(result.removed.length).toBeGreaterThan(0);
    expect(result.after.error).toBeLessThanOrEqual(1.02 * (result.before.error ?? 0));
    const lines = place.text("trace.jsonl").trimEnd().split("\n").filter(Boolean);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(result.removed);
  });

  test("names: --only, --skip and --min-keep", async () => {
    const line = "prune digits.onnx --data calib.npz --criterion taylor1 --remove 3 --out named.onnx";
    const groups = async (more: string) => (await json(`${line} ${more}`, pruneJson)).removed.map((row) => row.group);
    expect(await groups("--only fc2")).toEqual(["fc2", "fc2", "fc2"]);
    expect(await groups("--only fc* --skip *2")).toEqual(["fc1", "fc1", "fc1"]);
    await place.fails(`${line} --only fc2 --min-keep 4`, 1, /target: out of reach, even without 1 of 11 units/);
  });

  test("--best-effort writes what was reached", async () => {
    const line = "prune digits.onnx --data calib.npz --max-error-rise 2% --target-macs 5% --out best.onnx";
    await place.fails(line, 1, /^shrinknet: target: out of reach, even without \d+ of 11 units \(.*--best-effort\n/);
    const result = await json(`${line} --best-effort`, pruneJson);
    expect(place.read("best.onnx").byteLength).toBe(result.after.bytes);
  });
});

describe("compare", () => {
  test("every criterion under every schedule", async () => {
    const line =
      "compare digits.onnx --data calib.npz --test test.npz --criteria oracle,magnitude --schedules rerank,once --csv compare.csv";
    const result = await json(`${line} --report compare.html`, compareJson);
    expect(result.runs.map(({ criterion, schedule, steps }) => [criterion, schedule, steps.length])).toEqual([
      ["oracle", "rerank", 9],
      ["magnitude", "rerank", 9],
      ["oracle", "once", 9],
      ["magnitude", "once", 9],
    ]);
    const [head, ...rows] = rowsOf("compare.csv");
    expect(head?.join()).toBe(
      "criterion,schedule,compensation,removed,error,accuracy,testError,testAccuracy,group,unit,layer,predicted,latency",
    );
    expect(rows).toHaveLength(36);
    const stages = [1, 2, 3, 5, 6, 7, 8, 9];
    for (const { steps } of result.runs) {
      expect(steps.filter(({ latency }) => (latency ?? 0) > 0).map(({ removed }) => removed)).toEqual(stages);
    }
    expect(place.text("compare.html")).toContain("Accuracy against latency, test");
    expect(place.text("compare.html")).toContain("<html");
  });

  test("each compensation in runs of its own", async () => {
    const line =
      "compare digits.onnx --data calib.npz --criteria obs,oracle --compensate none,lstsq --remove 4 --no-latency";
    const result = await json(`${line} --csv repair.csv`, compareJson);
    expect(result.runs.map(({ criterion, compensation }) => [criterion, compensation])).toEqual([
      ["obs", "none"],
      ["oracle", "none"],
      ["obs", "lstsq"],
      ["oracle", "lstsq"],
    ]);
    expect(result.latency).toBeUndefined();
    const [head, ...rows] = rowsOf("repair.csv");
    const column = head?.indexOf("compensation") ?? -1;
    expect(rows.map((row) => row[column])).toEqual([...Array(8).fill("none"), ...Array(8).fill("lstsq")]);
  });

  test("prints how runs do at four stages", async () => {
    const { code, stdout } = await place.run(
      "compare digits.onnx --data calib.npz --criteria oracle,taylor2 --remove 4",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^digits.onnx: 11 units, objective cross-entropy, error [\d.]+, accuracy 87.50 %\n/);
    expect(stdout).toMatch(/\nerror +after 1 +after 2 +after 3 +after 4\noracle +rerank( +[\d.]+){4}\ntaylor2 /);
  });
});

describe("gain", () => {
  test("one curve per unit", async () => {
    const line = "gain digits.onnx --data calib.npz --unit fc1:0 fc2:4 --to 2 --step 0.5 --csv gain.csv --svg gain.svg";
    const result = await json(line, gainJson);
    expect(result.curves.map(({ group, unit }) => [group, unit])).toEqual([
      ["fc1", 0],
      ["fc2", 4],
    ]);
    const [curve] = result.curves;
    expect(curve?.points.map(({ gain }) => gain)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(summed(curve?.points[0]?.error)).toBeCloseTo(summed(curve?.removed), 4);
    expect(summed(curve?.points[2]?.error)).toBeCloseTo(summed(curve?.baseline), 4);
    const [head, first] = rowsOf("gain.csv");
    expect(head).toEqual(["group", "unit", "layer", "gain", "error", "tangent", "parabola"]);
    expect(summed(Number(first?.[5]))).toBeCloseTo(summed(curve?.tangent), 6);
    expect(summed(Number(first?.[6]))).toBeCloseTo(summed(curve?.parabola), 6);
    for (const name of ["gain-1.svg", "gain-2.svg"]) expect(place.text(name)).toContain("<svg");
    const { stdout } = await place.run("gain digits.onnx --data calib.npz --unit fc1:0 --to 1 --svg gain.svg");
    expect(stdout).toMatch(/^digits.onnx: error [\d.]+ \(cross-entropy\), 11 gains measured for each unit\n/);
    expect(place.text("gain.svg")).toContain("<svg");
  });
});

test("results do not depend on threads or on the run", async () => {
  const line = "prune digits.onnx --data calib.npz --remove 6 --quiet";
  const files = await Promise.all(
    ["--threads 1", "--threads 1", "--threads 2"].map(async (threads, at) => {
      expect((await place.run(`${line} ${threads} --out same-${at}.onnx --plan same-${at}.json`)).code).toBe(0);
      return [place.read(`same-${at}.onnx`).toString("base64"), place.text(`same-${at}.json`)];
    }),
  );
  expect(files[1]).toEqual(files[0]);
  expect(files[2]).toEqual(files[0]);
});

test("latency measures a table that prune goes by, also in another place", async () => {
  const { code, stdout, stderr } = await place.run("latency digits.onnx --out here.json --align 1");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^digits.onnx: a run takes [\d.e-]+ ms \(onnxruntime-node .*\); cut variants are predicted to [\d.]+ % by \d+ widths\nwrote here.json\n$/,
  );
  const goal = "--target-latency 90% --best-effort --align 1";
  const line = `prune digits.onnx --data calib.npz ${goal} --latency-table here.json --plan timed.json --out timed.onnx --no-latency`;
  const { stopped } = await json(line, pruneJson);
  expect(stopped).toMatch(/latency|no more removable units/);
  expect(JSON.parse(place.text("timed.json")).latencyTable).toEqual(JSON.parse(place.text("here.json")));
  const { latency } = await json("inspect digits.onnx --latency", inspectJson);
  expect(latency?.layers.map(({ layer }) => layer)).toContain("fc1");
});
