import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize } from "node:v8";
import { nodeRunner } from "@shrinknet/runtime";
import { experiments } from "../src/experiments/table.ts";
import { checkClaims } from "../src/results/claims.ts";
import { causesCsv, csv, rankingsCsv } from "../src/results/csv.ts";
import { causesFigure } from "../src/results/figures.ts";
import { paperPage } from "../src/results/page.ts";
import { experimentFiles, seedFiles, writeAll, writeWhole } from "../src/results/write.ts";
const [out, n, only] = [process.argv[2]!, Number(process.argv[3]), process.argv[4]];
const P = "/tmp/pp/paper5-partial";
const table = (f: string) => { const [h, ...r] = readFileSync(f, "utf8").trim().split("\n").map(l => l.split(",")); return r.map(c => Object.fromEntries(h!.map((k, i) => [k, c[i] === "" ? undefined : Number.isNaN(Number(c[i])) ? c[i] : Number(c[i])]))) as any[]; };
function fromCsv(e: any, seed: number): any {
  const d = join(P, e.id, `seed-${seed}`);
  const curves = table(join(d, "curves.csv"));
  const state = (r: any) => ({ error: r.error, ...(r.testError !== undefined && { test: { error: r.testError } }) });
  const runs = ["oracle", "taylor1", "taylor2"].map(criterion => ({ criterion, schedule: "rerank", seconds: 0, evaluations: 0,
    steps: curves.filter(r => r.criterion === criterion && r.removed > 0).map(r => ({ ...state(r), removed: r.removed, group: r.group, unit: r.unit, layer: r.layer, predicted: r.predicted })) }));
  const start = state(curves[0]);
  const agreement = table(join(d, "agreement.csv")), costs = table(join(d, "costs.csv")), pairs = table(join(d, "pairs.csv"));
  const stages = [...new Set(agreement.map(r => r.removed))];
  const alone = new Map(costs.filter(r => r.removed === 0).map(r => [r.layer + r.unit, r.measured]));
  const oracle = runs[0]!.steps;
  const agr = (r: any) => ({ criterion: r.criterion, spearman: r.spearman ?? NaN, kendall: r.kendall ?? NaN, regret: r.regret, top: [r.top1, r.top5, r.top10].map((overlap, i) => ({ share: [0.01, 0.05, 0.1][i], count: 0, overlap })) });
  const steps = stages.map(removed => {
    const rows = agreement.filter(r => r.removed === removed).map(agr);
    const own = costs.filter(r => r.removed === removed).map(r => ({ ...r, group: r.layer }));
    const sum = (f: any) => own.reduce((a, c) => a + Math.abs(f(c)), 0);
    const error = removed === 0 ? start.error : oracle[removed - 1]!.error;
    return { removed, error, left: own.length, costs: own, agreement: rows.filter(r => !["exact-parabola", "measured-once"].includes(r.criterion)),
      exactParabola: rows.find(r => r.criterion === "exact-parabola"), intactCosts: rows.find(r => r.criterion === "measured-once"),
      failure: { units: own.length, measured: sum((c: any) => c.measured), failure: sum((c: any) => c.measured - c.taylor2), truncation: sum((c: any) => c.truncation), diagonal: sum((c: any) => c.diagonal) },
      joint: error - start.error, alone: oracle.slice(0, removed).reduce((a, s) => a + alone.get(s.layer + s.unit), 0) };
  });
  const split = new Map(steps[0]!.costs.map((c: any) => [c.layer + c.unit, c]));
  const f = { truncation: 0, diagonal: 0, interaction: 0 };
  for (const r of pairs) { const [a, b] = [split.get(r.layerA + r.unitA), split.get(r.layerB + r.unitB)] as any[]; f.truncation += Math.abs(a.truncation + b.truncation) / pairs.length; f.diagonal += Math.abs(a.diagonal + b.diagonal) / pairs.length; f.interaction += Math.abs(r.interaction) / pairs.length; }
  const layers = ["hidden1", "hidden2"].map(layer => ({ group: layer, layer, kind: "neuron", size: e.widths[1] }));
  const gains: any = { oracle: [], taylor1: [], taylor2: [] };
  if (seed === 1) for (const r of table(join(d, "gains.csv"))) {
    let c = gains[r.criterion].find((c: any) => c.removedBefore === r.removed);
    if (!c) gains[r.criterion].push(c = { removedBefore: r.removed, group: r.layer, layer: r.layer, unit: r.unit, points: [], baseline: r.errorAtGain1, tangent: r.tangentAtGain0, parabola: r.parabolaAtGain0, removed: r.error });
    c.points.push({ gain: r.gain, error: r.error });
  }
  const cached = readdirSync("/tmp/pp/cache").find(n => n.startsWith(`${e.id}-${seed}-`) && n.endsWith(".json"))!;
  return { seed, training: { ...JSON.parse(readFileSync(join("/tmp/pp/cache", cached), "utf8")), cached: true }, start, layers, runs, gains, experiment: e,
    analysis: { criteria: [...new Set(agreement.map(r => r.criterion))].filter((c: any) => !["exact-parabola", "measured-once"].includes(c)), steps, interactions: { failure: f }, layers }, copied: d };
}
const results: any[][] = [];
for (const e of experiments) {
  if (only && !only.split(",").includes(e.id)) continue;
  const own: any[] = [];
  for (let seed = 1; seed <= n; seed++) {
    if (e.id.startsWith("cosine")) { own.push(fromCsv(e, seed)); continue; }
    const f = `/tmp/pp/jobs/${e.id}-${seed}/measured.bin`;
    if (!existsSync(f)) continue;
    own.push({ ...deserialize(readFileSync(f)), experiment: e });
  }
  if (own.length !== n) { console.log("incomplete", e.id, own.length); continue; }
  for (const m of own) {
    const x = `/tmp/pp/jobs/exact-${e.id}-${m.seed}.bin`;
    if (existsSync(x)) m.runs = [...m.runs, deserialize(readFileSync(x))];
    if (m.copied) { cpSync(m.copied, join(out, e.id, `seed-${m.seed}`), { recursive: true }); continue; }
    const files = seedFiles(m);
    if (m.seed > 1) for (const name of [...files.keys()]) if (name.startsWith("gain")) files.delete(name);
    await writeAll(join(out, e.id, `seed-${m.seed}`), files);
  }
  await writeAll(join(out, e.id), experimentFiles(own));
  results.push(own);
}
const claims = checkClaims(Array.from({ length: n }, (_, i) => new Map(results.map(own => [own[i].experiment.id, own[i]]))));
const rows = claims.flatMap(({ finding, claim, measure, bound, values, verdict }) => {
  const [side, limit] = "atLeast" in bound ? ["at least", bound.atLeast] : ["at most", bound.atMost];
  return values.map((value, i) => [finding, claim, measure, i + 1, value, side, limit, verdict]);
});
await writeWhole(join(out, "claims.csv"), csv("finding,claim,measure,seed,value,side,bound,verdict", rows));
await writeWhole(join(out, "rankings.csv"), rankingsCsv(results));
await writeWhole(join(out, "causes.csv"), causesCsv(results));
for (const about of ["units", "pairs"] as const) await writeWhole(join(out, `causes-${about}.svg`), causesFigure(results, about));
await writeWhole(join(out, "index.html"), paperPage({ results, claims, runner: nodeRunner({ threads: 1 }).name }));
for (const c of claims) console.log(c.finding, c.claim, "|", c.median.toFixed(3), "(", Math.min(...c.values).toFixed(3), "to", Math.max(...c.values).toFixed(3), ")", JSON.stringify(c.bound), c.passes, "of", c.values.length, c.verdict);
