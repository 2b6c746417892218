import { readFileSync } from "node:fs";
import { nodeRunner } from "@shrinknet/runtime";
import { prepare, readModel, sizeAfter, stateOf, verify, writeModel } from "shrinknet";
import { sampleFeeds } from "/work/main/packages/core/src/surgery/samples.ts";

const runner = nodeRunner({ threads: 2 });
for (const f of process.argv.slice(2)) {
  try {
    const t = performance.now();
    const m = readModel(readFileSync(f));
    const p = await prepare(m, runner);
    const t1 = performance.now();
    const base = sizeAfter(p, new Uint8Array(p.units.count));
    const removed = new Uint8Array(p.units.count);
    for (const g of p.units.groups)
      for (let i = 0; i < Math.max(g.size > 1 ? 1 : 0, Math.floor(g.size * 0.3)); i++)
        removed[g.first + ((i * 7919) % g.size)] = 1;
    const after = sizeAfter(p, removed);
    const st = stateOf(p, removed);
    const bytes = writeModel(st.model);
    let v = "";
    try {
      v = (await verify(p, m, removed, bytes, sampleFeeds(p, undefined), runner)).toExponential(1);
    } catch (e) {
      v = "FAIL " + (e as Error).message.slice(0, 700);
    }
    console.log(
      f.split("/").at(-1),
      "groups",
      p.units.groups.length,
      "units",
      p.units.count,
      "frozen",
      p.units.frozen.reduce((s, x) => s + x.size, 0),
      "params",
      base.parameters,
      "->",
      after.parameters,
      "macs",
      (base.macs / 1e6).toFixed(1),
      "->",
      (after.macs / 1e6).toFixed(1),
      "verified",
      v,
      "t",
      (t1 - t).toFixed(0),
      (performance.now() - t1).toFixed(0),
    );
    if (process.env.V) {
      for (const g of p.units.groups) console.log("  ", g.id, g.kind, g.size, g.places.length, g.sinks.length);
      const rs = new Map();
      for (const x of p.units.frozen) rs.set(x.reason, (rs.get(x.reason) ?? 0) + x.size);
      console.log(rs);
    }
  } catch (e) {
    console.log(f.split("/").at(-1), "ERROR", (e as Error).stack?.slice(0, 500));
  }
}
