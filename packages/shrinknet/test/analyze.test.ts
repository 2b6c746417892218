/** `shrinknet analyze` as a user runs it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Workplace } from "./support.ts";

const place = new Workplace();
beforeAll(() => place.fill());
afterAll(() => place.remove());

test("prints agreement, causes and pairs, and writes a report", async () => {
  const line = "analyze digits.onnx --data calib.npz --steps 2 --criteria taylor1,taylor2-unsigned --report why.html";
  const { code, stdout, stderr } = await place.run(line);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [head = "", ...rest] = stdout.split("\n");
  expect(head).toMatch(
    /^digits.onnx: 11 units, objective cross-entropy, error [\d.]+; the oracle removed 7, looked at in 2 stages$/,
  );
  expect(rest.join("\n")).toMatch(
    /^rank correlation +-0 +-6 +best picks +worst regret\ntaylor1 .*\ntaylor2-unsigned /m,
  );
  expect(rest.join("\n")).toMatch(/^units +error +taylor2 off by +truncation +diagonal/m);
  expect(rest.join("\n")).toMatch(/^pairs that cancel/m);
  expect(stdout).toMatch(/wrote why.html\n$/);
  expect(place.text("why.html")).toMatch(/^<!doctype html>/);
});

test("--json prints the summary, the same for the same seed", async () => {
  const line = "analyze digits.onnx --data calib.npz --remove 3 --steps 1 --criteria random,taylor2 --seed 4 --json";
  const run = async (): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await place.run(line);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { seconds, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    expect(seconds).toBeGreaterThan(0);
    return rest;
  };
  const result = await run();
  expect(result).toMatchObject({
    ...{ model: "digits.onnx", objective: "cross-entropy", seed: 4, samples: 64, removed: 3 },
    ...{ criteria: ["random", "taylor2"], steps: [{ removed: 0, left: 11 }], interactions: { of: 11 } },
  });
  expect(await run()).toEqual(result);
});

test("wrong usage is told with what was expected", async () => {
  const unknown = await place.run("analyze digits.onnx --data calib.npz --criteria taylor3");
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect(unknown.stderr).toContain('"taylor3" is unknown, expected names of taylor1, taylor2');
  const none = await place.run("analyze digits.onnx --data calib.npz --steps 0");
  expect(none.code).toBe(2);
  expect(none.stderr).toContain("expected 1 or more");
  const same = await place.run("analyze digits.onnx --data calib.npz --report digits.onnx");
  expect(same.code).not.toBe(0);
});
