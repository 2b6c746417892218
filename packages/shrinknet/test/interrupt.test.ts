import { spawn } from "node:child_process";
import { writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { afterAll, beforeAll, expect, test } from "vitest";
import { denseModel, samplesFor, Workplace } from "./support.ts";

const place = new Workplace();
beforeAll(async () => {
  await place.fill();
  const large = denseModel([64, 400, 200, 10]);
  place.write("large.onnx", writeModel(large));
  place.write("large.npz", writeNpz(await samplesFor(large, 1500)));
});
afterAll(() => place.remove());

/** Ctrl-C comes at once. */
const pressed = {
  onInterrupt(listener: () => void) {
    listener();
    return () => {};
  },
};

test("ends before the next removal: the plan so far is written, no model", async () => {
  const files = "--out o.onnx --report r.html --plan plan.json --trace t.csv";
  const line = `prune digits.onnx --data calib.npz --remove 5 ${files}`;
  const { code, stdout, stderr } = await place.run(line, pressed);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/: stopping after this removal; press Ctrl-C again to stop at once\n/);
  expect(stderr).toMatch(
    /\nshrinknet: interrupted after 0 removals; the plan so far is in plan.json, no model was written\n$/,
  );
  expect(JSON.parse(place.text("plan.json"))).toMatchObject({ format: "shrinknet-plan", removed: {} });
  const names = Object.keys(place.files()).map((path) => path.replace(`${place.folder}/`, ""));
  expect(names).not.toContain("o.onnx");
  expect(names).not.toContain("r.html");
});

test("compare writes nothing", async () => {
  const { code, stderr } = await place.run("compare digits.onnx --data calib.npz --csv c.csv", pressed);
  expect(code).toBe(1);
  expect(stderr).toMatch(/shrinknet: interrupted; nothing was written\n$/);
  expect(() => place.read("c.csv")).toThrow("ENOENT");
});

test.each([
  ["exact", ""],
  ["racing", "--shortlist 20%"],
])("SIGINT to a process: %s", async (mode, more) => {
  const child = spawn(
    process.execPath,
    [
      ...["--conditions=source", "--import", "tsx", new URL("interrupt-child.ts", import.meta.url).pathname],
      ...["prune", place.path("large.onnx"), "--data", place.path("large.npz"), "--remove", "90%"],
      ...["--out", place.path("large-o.onnx"), "--plan", place.path("large-plan.json"), "--oracle", mode],
      ...more.split(" ").filter((word) => word !== ""),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    if (String(text).includes("LISTENING")) child.kill("SIGINT");
    stderr += text;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(stderr).toMatch(
    /shrinknet: interrupted after \d+ removals?; the plan so far is in .*, no model was written\n$/,
  );
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(place.text("large-plan.json")).toContain("shrinknet-plan");
  expect(() => place.read("large-o.onnx")).toThrow("ENOENT");
  const applied = await place.run("apply large.onnx large-plan.json --out large-applied.onnx");
  expect(applied.code).toBe(0);
});
