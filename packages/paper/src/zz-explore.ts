import { nodeRunner } from "@shrinknet/runtime";
import { compare, type ObjectiveName, writeModel } from "shrinknet";
import { cosineSamples } from "/work/main/packages/paper/src/experiments/cosine.ts";
import { digitSamples, oneDigitSamples } from "/work/main/packages/paper/src/experiments/mnist.ts";
import { diamond, irregular, planeSamples } from "/work/main/packages/paper/src/experiments/plane.ts";
import { denseModel } from "/work/main/packages/paper/src/network.ts";
import { train } from "/work/main/packages/paper/src/train.ts";

const [kind, ...rest] = process.argv.slice(2);
const o = Object.fromEntries(rest.map((s) => s.split("="))) as Record<string, string>;
const seed = Number(o.seed ?? 1);
const runner = nodeRunner({ threads: 1 });
const s =
  kind === "cosine"
    ? cosineSamples(seed)
    : kind === "diamond"
      ? planeSamples(diamond, "d", seed)
      : kind === "rshape"
        ? planeSamples(irregular, "r", seed)
        : kind === "mnist"
          ? digitSamples(seed)
          : oneDigitSamples(Number(o.digit), seed);
const widths = o.w!.split("-").map(Number);
let model = denseModel({ widths, output: o.out as "Sigmoid", seed });
const spread = (o.spread ?? "1").split("-").map(Number);
if (o.spread) {
  const g = model.graph;
  const init = new Map(g.initializers);
  let i = 0;
  for (const [name, t] of init)
    if (name.endsWith("weight")) {
      const k = spread[Math.min(i++, spread.length - 1)]!;
      (t.data as Float32Array).forEach((v, j, a) => {
        a[j] = v * k;
      });
    }
  if (o.bias)
    for (const [name, t] of init)
      if (name === "hidden1.bias") {
        const w = init.get("hidden1.weight")!.data as Float32Array;
        (t.data as Float32Array).forEach((_, j, a) => {
          a[j] = -w[j]! * ((j + 0.5) / a.length) * 2 * Math.PI;
        });
      }
  model = { ...model, graph: g.with({ initializers: init }) };
}
const t0 = Date.now();
const rate = Number(o.rate ?? 0.003),
  decay = Number(o.decay ?? 1);
const r = await train(model, {
  runner,
  data: s.calibration,
  objective: "sse" as ObjectiveName,
  batch: Number(o.batch ?? 50),
  rate: (epoch: number) => rate * decay ** epoch,
  steps: o.steps ? Number(o.steps) : undefined,
  maxEpochs: Number(o.epochs ?? 100),
  seed,
  done: (q) => (o.acc ? q.accuracy! >= Number(o.acc) : q.error / s.calibration.size <= Number(o.err ?? 1e-6)),
  onEpoch: (e, q) => {
    if (e % Number(o.every ?? 10) === 0 || o.every === "1")
      console.log(
        e,
        (q.error / s.calibration.size).toExponential(2),
        q.accuracy,
        ((Date.now() - t0) / 1000).toFixed(1),
      );
  },
});
console.log("trained", r.epochs, r.quality, ((Date.now() - t0) / 1000).toFixed(1), "s");
const W = [...r.model.graph.initializers]
  .map(([n, t]) => `${n} rms ${Math.sqrt((t.data as Float32Array).reduce((a, b) => a + b * b, 0) / t.size).toFixed(2)}`)
  .join("; ");
console.log(W);
if (o.compare) {
  const c = await compare(writeModel(r.model), {
    runner,
    data: s.calibration,
    test: s.test,
    objective: "sse",
    minKeep: 0,
    schedules: o.compare.split("+") as "rerank"[],
    criteria: (o.crit ?? "oracle+taylor1+taylor2").split("+"),
  });
  for (const run of c.runs) {
    const n = run.steps.length;
    console.log(
      "at or below start until",
      run.steps.findIndex((x) => x.error > c.baseline.error),
      "lowest",
      Math.min(...run.steps.map((x) => x.error)),
    );
    console.log(
      run.criterion,
      run.schedule,
      run.seconds.toFixed(1) + "s",
      Array.from({ length: 11 }, (_, i) => {
        const st = i === 0 ? c.baseline : run.steps[Math.round((i * n) / 10) - 1]!;
        return `${i * 10}%:${st.error.toPrecision(3)}${st.accuracy === undefined ? "" : "/" + st.accuracy.toFixed(3)}`;
      }).join(" "),
    );
    console.log(
      "   layer2 share in first 30%",
      run.steps.slice(0, Math.round(n * 0.3)).filter((x) => x.layer !== "hidden1").length / Math.round(n * 0.3),
    );
  }
}
