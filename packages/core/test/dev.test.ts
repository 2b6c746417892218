import { expect, test } from "vitest";
import { nodeRunner } from "@shrinknet/runtime";
import { model, node, random } from "./support/build.ts";
import { prepare } from "../src/units/prepare.ts";
import { subjectOf, qualityOf } from "../src/measure/subject.ts";
import { stateOf } from "../src/measure/state.ts";
import { Oracle } from "../src/measure/oracle.ts";

test("dev", async () => {
  const r = random(1);
  const m = model({ inputs: { x: ["N", 7] }, outputs: ["y"], initializers: { W1: r.tensor([7, 5], 1), b1: r.tensor([5], 1), W2: r.tensor([5, 4], 1), b2: r.tensor([4], 1), W3: r.tensor([4, 3], 1), b3: r.tensor([3], 1) },
    nodes: [node("Gemm", ["x", "W1", "b1"], ["h1"]), node("Sigmoid", ["h1"], ["a1"]), node("Gemm", ["a1", "W2", "b2"], ["h2"]), node("Sigmoid", ["h2"], ["a2"]), node("Gemm", ["a2", "W3", "b3"], ["h3"]), node("Sigmoid", ["h3"], ["y"])] });
  const runner = nodeRunner();
  const p = await prepare(m, runner);
  console.log(p.units.groups.map((g) => [g.id, g.kind, g.size, g.sinks.length]), p.units.frozen);
  const s = await subjectOf(p, runner, { source: "t", size: 50, inputs: { x: r.tensor([50, 7], 1) }, labels: Int32Array.from({ length: 50 }, (_, i) => i % 3) });
  console.log(await qualityOf(s));
  const removed = new Uint8Array(9);
  const oracle = new Oracle(s, stateOf(p, removed));
  for (const step of [-1, 2, 7, 0,1,3,4]) {
    if (step >= 0) { removed[step] = 1; oracle.advance(stateOf(p, removed.slice())); }
    const left = [...removed].flatMap((v, i) => (v ? [] : [i]));
    const errors = await oracle.errorsWithout(left);
    for (const u of left) {
      const r2 = removed.slice(); r2[u] = 1;
      const q = await qualityOf(s, stateOf(p, r2).model);
      console.log(u, errors.get(u), q.error);
    }
  }
  expect(1).toBe(1);
});
