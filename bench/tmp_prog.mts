import { readFileSync } from "node:fs";
import { prune } from "shrinknet";
import { nodeRunner } from "@shrinknet/runtime";
import { loadData } from "../packages/cli/src/data/load-data.ts";
const M="/work/shared/models/";
for (const [m,d,t] of [["cifar-resnet20","cifar",0.7]] as const){
  const data=await loadData(`${M}${d}-calib.npz`,{});
  (globalThis as any).PN=8;const t0=performance.now();const marks:string[]=[];let last=0;let n=0;
  await prune(readFileSync(`${M}${m}.onnx`),{runner:nodeRunner({threads:2}),data,compensate:"lstsq",budget:{targetMacs:t},block:8,latency:{clock:()=>performance.now(),threads:2},onProgress:(p)=>{const now=(performance.now()-t0)/1000;
    n++; if(p.lastFit) marks.push("FIT@"+now.toFixed(1)); else if(p.quality.error!==undefined||n===1) marks.push(`${p.removed}/${p.expected}@${now.toFixed(1)}`); last=now;}});
  console.log(m,marks.join(" "),"end",((performance.now()-t0)/1000).toFixed(1));
}
