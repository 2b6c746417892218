/**
 * What repair without re-training keeps: accuracy on held-out samples after removals, for networks with published or
 * measured figures to be held against.
 *
 *     npm run repair                     all of them
 *     npm run repair -- fashion resnet   some: digits, fashion, kws, resnet
 *
 * `fashion` needs Debian's dataset-fashion-mnist, `kws` and `resnet` the files of ../shared/models; what is missing is left
 * out. Held-out samples are only looked at here.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { type Budget, type Dataset, type Model, type PruneOptions, prune, range, writeModel } from "@shrinknet/core";
import { loadData } from "@shrinknet/data/node";
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { runner, threads, trainedOn } from "./timed.ts";

const cache = new URL("../node_modules/.cache/shrinknet-bench/", import.meta.url);
const shared = new URL("../../shared/models/", import.meta.url).pathname;
const fashionFiles = "/usr/share/datasets/fashion-mnist/";

const asked = process.argv.slice(2);
const isAsked = (name: string): boolean => asked.length === 0 || asked.includes(name);

console.log(`${cpus()[0]?.model.trim()}, ${threads} threads, Node ${process.version}, ${runner.name}\n`);
console.log("| network | way | goal | MACs left | parameters left | test accuracy before | after | seconds |");
console.log("|---|---|---|---|---|---|---|---|");
if (isAsked("digits")) await digits();
if (isAsked("fashion")) await fashion();
if (isAsked("kws")) await sharedModel("kws-dscnn", "kws", [0.7, 0.5]);
if (isAsked("resnet")) await sharedModel("cifar-resnet20", "cifar", [0.8, 0.7, 0.5]);

type Way = Pick<PruneOptions, "criterion" | "compensate" | "objective" | "traceEvery">;

async function row(
  name: string,
  file: Uint8Array,
  data: Dataset,
  test: Dataset,
  way: Way,
  budget: Budget,
): Promise<void> {
  const started = performance.now();
  const { summary } = await prune(file, { runner, data, test, traceTest: false, budget, ...way });
  const { before, after } = summary;
  const percent = (share: number | undefined): string => `${((share ?? Number.NaN) * 100).toFixed(1)} %`;
  const goal = budget.remove ? `${percent((budget.remove as { share: number }).share)} of the units removed` : "MACs";
  const cells = [
    name,
    `${way.criterion}, ${way.compensate}`,
    goal === "MACs" ? `${percent(budget.targetMacs)} of the MACs` : goal,
    percent(after.macs / before.macs),
    percent(after.parameters / before.parameters),
    before.test?.accuracy?.toFixed(3),
    after.test?.accuracy?.toFixed(3),
    ((performance.now() - started) / 1000).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** 400-100-10 on 5,000 digits, as in the paper. */
async function digits(): Promise<void> {
  const images = cropped(loadDigits(), 20);
  const [data, test] = [datasetOf(images, "digits", 0, 5000), datasetOf(images, "digits", 5000, 10000)];
  const file = await kept("digits-400-100-10.onnx", () => trainedOn([400, 100, 10], data));
  const ways: Way[] = [
    { criterion: "oracle", compensate: "none" },
    { criterion: "obs", compensate: "mean" },
    { criterion: "obs", compensate: "lstsq" },
    { criterion: "oracle", compensate: "lstsq" },
  ];
  for (const share of [0.6, 0.8, 0.9]) {
    for (const way of ways) await row("400-100-10, digits", file, data, test, way, { remove: { share } });
  }
}

/** 784-300-100-10 with ReLU on Fashion-MNIST, 5,000 calibration images. */
async function fashion(): Promise<void> {
  if (!existsSync(fashionFiles)) return console.log("(fashion left out: apt-get install dataset-fashion-mnist)");
  const load = (part: string): Promise<Dataset> =>
    loadData(`${fashionFiles}${part}-images-idx3-ubyte.gz,${fashionFiles}${part}-labels-idx1-ubyte.gz`, {
      scale: 1 / 255,
    });
  const [all, test] = [await load("train"), await load("t10k")];
  const file = await kept("fashion-784-300-100-10.onnx", async () => {
    const { model } = await train(denseModel({ widths: [784, 300, 100, 10], hidden: "Relu", seed: 1 }), {
      runner,
      data: all,
      objective: "cross-entropy",
      batch: 100,
      rate: (epoch) => 0.001 * (1 + Math.cos((Math.PI * (epoch - 1)) / 40)),
      decay: 0.4,
      maxEpochs: 40,
      seed: 1,
      done: () => false,
    });
    return model;
  });
  const data = range(all, 0, 5000);
  const ways: Way[] = [
    { criterion: "taylor2", compensate: "none" },
    { criterion: "obs", compensate: "mean", traceEvery: 10 },
    { criterion: "obs", compensate: "lstsq", traceEvery: 10 },
  ];
  for (const share of [0.7, 0.8, 0.9]) {
    for (const way of ways) await row("784-300-100-10, Fashion-MNIST", file, data, test, way, { remove: { share } });
  }
  const measured = { criterion: "oracle", compensate: "lstsq", traceEvery: 10 } as const;
  await row("784-300-100-10, Fashion-MNIST", file, data, test, measured, { remove: { share: 0.9 } });
}

async function sharedModel(model: string, data: string, targets: readonly number[]): Promise<void> {
  const path = `${shared}${model}.onnx`;
  if (!existsSync(path)) return console.log(`(${model} left out: no ${path})`);
  const load = (part: string): Promise<Dataset> => loadData(`${shared}${data}-${part}.npz`);
  const [calibration, test] = [await load("calib"), await load("test")];
  const file = readFileSync(path);
  for (const targetMacs of targets) {
    const way = { criterion: "obs", compensate: "lstsq", objective: "match" } as const;
    await row(model, file, calibration, test, way, { targetMacs });
  }
}

async function kept(name: string, make: () => Promise<Model>): Promise<Uint8Array> {
  const path = new URL(name, cache);
  if (!existsSync(path)) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(path, writeModel(await make()));
  }
  return readFileSync(path);
}
