/** Everything that goes wrong is one clear sentence and an exit code, and changes no file. */
import { mkdirSync } from "node:fs";
import { float32, int64, type Tensor, tensorOf, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { model, node, random } from "../../core/test/support/build.ts";
import { failureOf } from "../src/failure.ts";
import { Workplace } from "./support.ts";

const place = new Workplace();
const x = random(5).tensor([4, 8]);
const save = (name: string, arrays: Record<string, Tensor>): string => place.write(name, writeNpz(arrays));
beforeAll(async () => {
  await place.fill();
  await place.run("prune digits.onnx --data calib.npz --remove 3 --out small.onnx --plan plan.json");
  place.write("text.onnx", "<html><body>404</body></html>");
  place.write("empty.onnx", "");
  place.write("cut.onnx", place.read("digits.onnx").subarray(0, 300));
  place.write("notes.json", "[1]");
  place.write("existing.onnx", "what was here before");
  mkdirSync(place.path("folder.onnx"));
  const relu = { inputs: { x: ["N", 8] }, outputs: { y: ["N", 8] }, nodes: [node("Relu", ["x"], ["y"])] };
  place.write("bare.onnx", writeModel(model(relu)));
  save("wide.npz", { x: random(5).tensor([4, 9]), y: int64([0, 1, 2, 0]) });
  save("labels.npz", { x, y: int64([0, 1, 3, 0]) });
  save("nan.npz", {
    x: tensorOf("float32", Array.from(x.numbers).fill(Number.NaN, 9, 10), [4, 8]),
    y: int64([0, 1, 2, 0]),
  });
  save("none.npz", { x: float32([], [0, 8]), y: int64([]) });
  save("uneven.npz", { x, y: int64([0, 1, 2]) });
  save("unlabelled.npz", { x });
  save("one.npz", { x: random(5).tensor([1, 8]), y: int64([0]) });
});
afterAll(() => place.remove());

describe("model files", () => {
  test.each([
    ["nope.onnx", /^shrinknet: nope.onnx: no such file, expected an ONNX file; check the path\n/],
    ["folder.onnx", /^shrinknet: folder.onnx: is a folder, expected an ONNX file/],
    ["text.onnx", /^shrinknet: text.onnx: is an HTML page/],
    ["empty.onnx", /^shrinknet: empty.onnx: is an empty file/],
    ["cut.onnx", /^shrinknet: cut.onnx: is cut short or damaged/],
    ["calib.npz", /^shrinknet: calib.npz: is a zip archive/],
  ])("%s", async (file, message) => {
    await place.fails(`inspect ${file}`, 1, message);
    await place.fails(`prune ${file} --data test.npz --out existing.onnx --plan p.json`, 1, message);
  });

  test("one without removable units", async () => {
    await place.fails("prune bare.onnx --data unlabelled.npz --out o.onnx", 1, /bare.onnx: nothing can be removed/);
    await place.fails(
      "latency bare.onnx --align 1 --out table.json",
      1,
      /^shrinknet: bare.onnx: .*latency: cannot be learnt/,
    );
    await place.fails(
      "prune digits.onnx --latency-table labels.npz --data calib.npz --out o.onnx",
      2,
      /latency table: not JSON/,
    );
    const asked = "prune bare.onnx --data unlabelled.npz --out o.onnx --remove 40%";
    await place.fails(asked, 1, /bare.onnx: nothing can be removed/);
  });
});

describe("data", () => {
  test.each([
    ["nope.npz", /^shrinknet: nope.npz: no such file/],
    ["wide.npz", /^shrinknet: wide.npz: array "x" has shape \[4, 9\], expected \[N, 8\]/],
    ["labels.npz", /^shrinknet: labels.npz: the label of sample 2 is 3, expected 0 to 2/],
    ["nan.npz", /^shrinknet: nan.npz: array "x" holds NaN in sample 1/],
    ["none.npz", /^shrinknet: none.npz: array "x" .* no samples/],
    ["uneven.npz", /^shrinknet: uneven.npz: .* 4 samples but "y" has 3/],
  ])("%s", async (file, message) => {
    await place.fails(`prune digits.onnx --data ${file} --out existing.onnx`, 1, message);
    await place.fails(`prune digits.onnx --data calib.npz --test ${file} --out existing.onnx`, 1, message);
    await place.fails(`evaluate digits.onnx --data ${file}`, 1, message);
    await place.fails(`compare digits.onnx --data ${file} --csv c.csv`, 1, message);
    await place.fails(`gain digits.onnx --data ${file} --unit fc1:0 --svg g.svg`, 1, message);
  });

  test("a limit that it cannot measure", async () => {
    const line = "prune digits.onnx --data unlabelled.npz --max-accuracy-drop 1% --out o.onnx";
    await place.fails(line, 1, /accuracy drop: cannot be measured, .* use --max-error-rise/);
  });

  test("too little to hold out, or to be sure of a limit", async () => {
    const one = "prune digits.onnx --data one.npz --out o.onnx --hold-out 20%";
    await place.fails(one, 1, /one.npz: has 1 sample, expected at least 2 to hold one out/);
    const sure = "prune digits.onnx --data calib.npz --out o.onnx --max-accuracy-drop 1% --confidence 95%";
    await place.fails(sure, 1, /confidence: 13 held-out samples are too few to show a drop of at most 1 % with 95 %/);
  });
});

describe("outputs", () => {
  test.each([
    ["nowhere/o.onnx", 1, /--out nowhere\/o.onnx: there is no folder .*nowhere; create it first/],
    ["calib.npz/o.onnx", 1, /--out calib.npz\/o.onnx: there is no folder/],
    ["folder.onnx", 1, /--out folder.onnx: is a folder, expected the name of a file/],
    ["/dev/null", 1, /--out \/dev\/null: is no ordinary file/],
    ["digits.onnx", 2, /--out digits.onnx: is the same file as the model; give it another name/],
    ["folder.onnx/../digits.onnx", 2, /is the same file as the model/],
    ["calib.npz", 2, /--out calib.npz: is the same file as --data/],
    ["p.json", 2, /--out p.json: is the same file as --plan/],
  ] as const)("--out %s", async (out, code, message) => {
    await place.fails(`prune digits.onnx --data calib.npz --plan p.json --out ${out}`, code, message);
  });

  test("of the other options and commands", async () => {
    await place.fails("prune digits.onnx --data calib.npz --out o.onnx --trace nowhere/t.csv", 1, /--trace nowhere/);
    await place.fails("apply digits.onnx plan.json --out plan.json", 2, /is the same file as the plan/);
    await place.fails("compare digits.onnx --data calib.npz --report nowhere/r.html", 1, /--report nowhere/);
    await place.fails("gain digits.onnx --data calib.npz --unit fc1:0 --svg nowhere/g.svg", 1, /--svg/);
  });
});

describe("plans", () => {
  test.each([
    ["calib.npz", /^shrinknet: calib.npz: not JSON, expected the file that prune --plan wrote/],
    ["notes.json", /^shrinknet: notes.json: .*expected the file that prune --plan wrote/],
    ["nope.json", /^shrinknet: nope.json: no such file/],
  ])("%s", (file, message) => place.fails(`apply digits.onnx ${file} --out existing.onnx`, 1, message));

  test("of another model", () =>
    place.fails("apply small.onnx plan.json --out o.onnx", 1, /^shrinknet: plan.json: made for a model with hash/));
});

describe("usage", () => {
  const prune = "prune digits.onnx --data calib.npz --out o.onnx";
  test.each([
    ["prun", "unknown command 'prun' (Did you mean prune?)\nSee shrinknet --help"],
    [`${prune} --max-eror-rise 5%`, "unknown option '--max-eror-rise' (Did you mean --max-error-rise?)"],
    ["compare digits.onnx", "required option '--data <file>' not specified\nSee shrinknet compare --help"],
    ["prune digits.onnx", "--criterion oracle: needs samples; give them with --data, or use magnitude"],
    ["inspect", "missing required argument 'model'"],
    ["prune --out o.onnx --only digits.onnx", "--only takes all names after it, so give the model first"],
    [`${prune} --remove 40%%`, "--remove 40%%: expected a number"],
    [`${prune} --remove 0.4`, "--remove 0.4: write 40% for a share of the units"],
    [`${prune} --remove 1.5`, "--remove 1.5: expected a whole number of 0 or more"],
    [`${prune} --remove 101%`, "--remove 101%: expected at most 100%"],
    [`${prune} --max-accuracy-drop 1`, "--max-accuracy-drop 1: write 1% for per cent"],
    [`${prune} --target-macs -50%`, "--target-macs -50%: expected a number"],
    [`${prune} --target-bytes 0`, "--target-bytes 0: expected a size such as 200KB, or a share such as 50%"],
    [`${prune} --target-bytes small`, "--target-bytes small: expected a size such as 200KB, or a share such as 50%"],
    [`${prune} --target-bytes 120%`, "--target-bytes 120%: expected at most 100%"],
    [`${prune} --align 0`, "--align 0: expected a whole number of 1 or more, such as 8"],
    [`${prune} --align 2.5`, "--align 2.5: expected a whole number of 0 or more"],
    [`${prune} --align 8 --oracle racing`, "align: takes several units at once, but racing tells the best one alone"],
    [`${prune} --max-accuracy-drop 1% --confidence 95`, "--confidence 95: write 95% for per cent"],
    [`${prune} --max-accuracy-drop 1% --confidence 40%`, "--confidence 40%: expected above 50% and below 100%"],
    [
      `${prune} --confidence 95%`,
      "confidence: is that of a limit on the accuracy, expected one; add --max-accuracy-drop",
    ],
    [`${prune} --max-accuracy-drop 1% --confidence 95% --hold-out 0%`, "confidence: is measured on held-out samples"],
    [`${prune} --hold-out 100%`, "--hold-out 100%: expected less than 100%"],
    [`${prune} --hold-out 0.5%%`, "--hold-out 0.5%%: expected a number"],
    [`${prune} --criterion taylor`, "--criterion taylor: expected one of oracle, taylor1"],
    [`${prune} --oracle quick`, "--oracle quick: expected one of auto, exact, lazy, racing"],
    [`${prune} --compensate least`, "--compensate least: expected one of none, mean, lstsq"],
    ["prune digits.onnx --criterion magnitude --remove 2 --compensate mean --out o.onnx", "--compensate mean: needs"],
    ["prune digits.onnx --criterion magnitude --remove 2 --polish --out o.onnx", "--polish: needs samples; give them"],
    [`${prune} --polish=yes`, "unknown option '--polish=yes'"],
    ["compare digits.onnx --data calib.npz --compensate none,all", '"all" is unknown, expected names of none, mean'],
    [`${prune} --threads 0`, "--threads 0: expected 1 to "],
    [`${prune} --seed x`, "--seed x: expected a number"],
    [`${prune} --shape x`, "--shape x: expected NAME=DIMS"],
    [`${prune} --shape z=1x8`, "--shape z: the model has no such input, expected x"],
    [`${prune} --shape x=1x9`, "--shape x=1x9: does not fit the model, expected x=Nx8"],
    [`${prune} --scale 0`, "scale: got 0, expected a finite number other than 0"],
    [`${prune} --only nothing`, 'pattern "nothing": matches no group, expected one of fc1, fc2'],
    ["prune digits.onnx --out o.onnx", "--criterion oracle: needs samples; give them with --data"],
    ["prune digits.onnx --criterion magnitude --out o.onnx", "expected how much to remove, such as --remove 30%"],
    [
      "compare digits.onnx --data calib.npz --criteria oracle,hessian",
      '"hessian" is unknown, expected names of oracle',
    ],
    ["gain digits.onnx --data calib.npz --unit fc7:1", 'unit "fc7:1": not in this model, expected GROUP:INDEX of fc1'],
    ["gain digits.onnx --data calib.npz --unit fc1:1 --step 0", "--step 0: expected a number above 0"],
    ["gain digits.onnx --data calib.npz --unit fc1:1 --from 3 --to 2", "--to 2: is below --from 3"],
  ])("%s", async (line, message) => {
    await place.fails(line, 2, new RegExp(`^shrinknet: .*${escaped(message)}`, "s"));
  });

  test("help goes to standard output and shows an example", async () => {
    for (const name of ["", "inspect", "evaluate", "prune", "compare", "gain", "apply"]) {
      const { code, stdout, stderr } = await place.run(`${name} --help`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/\nExample:\n {2}\$ shrinknet \w+ .*\n$/);
    }
  });

  test("no command shows help as a usage error", async () => {
    const { code, stdout, stderr } = await place.run("");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^Usage: shrinknet/);
  });
});

test("an unexpected error is one line and how to learn more", async () => {
  const error = new Error("first\n  second");
  expect(await failureOf(error, {})).toEqual({
    text: "unexpected error: first second; set SHRINKNET_DEBUG=1 for the stack trace",
    exitCode: 1,
  });
  expect((await failureOf(error, { SHRINKNET_DEBUG: "1" })).text).toContain("failures.test.ts");
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
