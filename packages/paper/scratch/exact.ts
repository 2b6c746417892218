import { compare } from "shrinknet";
import { nodeRunner } from "@shrinknet/runtime";
import { experiments } from "../src/experiments/table.ts";
import { trainedNetwork } from "../src/measure/trained.ts";
import { bendsOf } from "../../core/src/analysis/bends.ts";
import { Activations } from "../../core/src/measure/activations.ts";
import { taylorTerms } from "../../core/src/measure/taylor.ts";
import { subjectIn } from "../../core/src/criteria/criterion.ts";
import { criterionOf } from "../../core/src/criteria/index.ts";
const runner = nodeRunner({ threads: 1 });
const exact = { ...criterionOf("taylor2"), name: "exact", async score(context: any) {
  const subject = subjectIn(context);
  const { slope } = await taylorTerms(subject, context.state, true);
  const bends = await bendsOf(subject, new Activations(subject, context.state), context.left);
  return Float64Array.from(slope, (s: number, u: number) => -s + (bends.get(u) ?? 0) / 2);
} };
for (const [id, seed] of [["mnist-2layer",1],["diamond",1],["random-shape",1],["mnist-2layer",2],["diamond",2],["random-shape",2]] as const) {
  const e = experiments.find(e => e.id === id)!; const samples = e.samples(seed);
  const { file } = await trainedNetwork(e, samples, { runner, seed, cache: "/tmp/pp/cache" });
  const before = process.cpuUsage().user;
  const { runs, baseline } = await compare(file, { runner, data: samples.calibration, criteria: ["oracle", "taylor2", exact as any], schedules: ["rerank"], objective: "sse", minKeep: 0, seed });
  console.log(id, seed, ((process.cpuUsage().user - before) / 1e6).toFixed(0), runs.map(r => { const c = [baseline, ...r.steps]; let a = 0; for (let i = 1; i < c.length; i++) a += (c[i-1]!.error + c[i]!.error)/2; const until = c.findIndex(s => s.accuracy! < 0.95); return `${r.criterion}: area ${a.toFixed(0)} acc95 until ${until - 1} acc@40 ${(c[40] as any).accuracy} acc@60 ${(c[60] as any).accuracy}`; }).join(" | "));
}
