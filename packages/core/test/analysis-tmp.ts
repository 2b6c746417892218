import { readFileSync } from "node:fs";
import { nodeRunner } from "@shrinknet/runtime";
import { readModel, prepare, subjectOf, stateOf, tensorOf, Activations, taylorTerms, type Model, type Dataset } from "../src/index.ts";
import { bendsOf } from "../src/analysis/bends.ts";
import { unzipSync } from "fflate";
const z = unzipSync(readFileSync("/tmp/an/digits.npz"));
const body = (b: Uint8Array) => { const n = b[8]! + 256 * b[9]!; return b.slice(10 + n).buffer; };
const x = new Float32Array(body(z["x.npy"]!)), y = new Int32Array(body(z["y.npy"]!));
const data: Dataset = { source: "d", size: 5000, inputs: { x: tensorOf("float32", x, [5000, 400]) }, labels: y };
const runner = nodeRunner();
function double(m: Model): Model {
  const g = m.graph;
  const t = (i: any) => i.type === "float32" ? { ...i, type: "float64" } : i;
  return { ...m, graph: g.with({ inputs: g.inputs.map(t), outputs: g.outputs.map(t), valueInfo: new Map(), initializers: new Map([...g.initializers].map(([n, v]) => [n, v.type === "float32" ? tensorOf("float64", v.numbers, v.dims) : v])) }) };
}
for (const name of ["one", "two"]) {
  const m = readModel(readFileSync(`/tmp/an/${name}.onnx`));
  const res = async (model: Model) => {
    const p = await prepare(model, runner);
    const s = await subjectOf(p, runner, data, "sse");
    const st = stateOf(p, new Uint8Array(p.units.count));
    const a = new Activations(s, st);
    const units = Array.from({ length: p.units.count }, (_, i) => i).filter((i) => i % 10 === 0);
    return { s, st, a, units };
  };
  const d = await res(double(m)), f = await res(m);
  const truth = await bendsOf(d.s, d.a, d.units, 0.01);
  const diag = (await taylorTerms(d.s, d.st, true)).bend;
  console.log(name, "units", d.units.map((u) => truth.get(u)!.toPrecision(4)).join(" "), "\n diag", d.units.map((u) => diag[u]!.toPrecision(4)).join(" "));
  for (const h of [0.4, 0.2, 0.1, 0.05, 0.02, 0.01]) {
    const t0 = performance.now();
    const e64 = await bendsOf(d.s, d.a, d.units, h), t1 = performance.now(), e32 = await bendsOf(f.s, f.a, f.units, h), t2 = performance.now();
    const max = (e: Map<number, number>) => Math.max(...d.units.map((u) => Math.abs(e.get(u)! - truth.get(u)!)));
    console.log(h, "f64 err", max(e64).toExponential(1), "f32 err", max(e32).toExponential(1), "ms/unit f32", ((t2 - t1) / d.units.length).toFixed(1));
  }
}
