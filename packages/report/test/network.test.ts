/** The drawn network, and where its layout puts things. */

import type { NetworkBlock, NetworkSummary } from "@shrinknet/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { computeLayout, type LayoutNode, networkGraph } from "../src/index.ts";
import { count, loads, xmlProblems } from "./markup.ts";

const block = (name: string, from: number[], rest: Partial<NetworkBlock> = {}): NetworkBlock => ({
  name,
  kind: "layer",
  operators: ["Conv", "Relu"],
  dims: [1, 8, 4, 4],
  parameters: 0,
  macs: 0,
  from,
  groups: [],
  frozen: [],
  ...rest,
});

const residual: NetworkSummary = {
  groups: [
    { id: "a", kind: "channel", size: 8, layer: "conv <1>" },
    { id: "b", kind: "channel", size: 1, layer: "conv 2" },
  ],
  blocks: [
    block("x", [], { kind: "input", operators: [] }),
    block("conv <1>", [0], { groups: ["a"] }),
    block("conv 2", [1], { groups: ["b"] }),
    block("conv 3", [2], { groups: ["a"], frozen: ['Hardmax "h": operator without a rule'] }),
    block("add", [3, 1], { kind: "joint", operators: ["Add"], groups: ["a"] }),
    block("y", [4], { kind: "output", operators: [] }),
  ],
};

test("the drawing is well-formed, loads nothing, and is the same every time", () => {
  const svg = networkGraph(residual, { title: "r & d" });
  expect(xmlProblems(svg)).toEqual([]);
  expect(loads(svg)).toEqual([]);
  expect(networkGraph(structuredClone(residual), { title: "r & d" })).toBe(svg);
  expect(svg).toContain("prefers-color-scheme:dark");
});

test("groups are numbered in colours and in the key, frozen blocks are dashed and say why", () => {
  const svg = networkGraph(residual);
  expect(count(svg, ">1</text>")).toBe(4); // three blocks and the key
  expect(count(svg, ">2</text>")).toBe(2);
  expect(count(svg, ">a</text>")).toBe(2);
  expect(svg).toContain("conv &lt;1&gt;: 8 channels");
  expect(svg).toContain("conv 2: 1 channel<");
  expect(svg).toContain("frozen: Hardmax &quot;h&quot;: operator without a rule");
});

test("a block that many groups run through says how many more there are", () => {
  const groups = Array.from({ length: 12 }, (_, i) => ({ id: `g${i}`, kind: "channel", size: 2, layer: `l${i}` }));
  const blocks = [block("x", []), block("cat", [0], { groups: groups.map(({ id }) => id) })];
  expect(networkGraph({ groups, blocks })).toContain(">+6</text>");
});

test("200 blocks are drawn in well under a second", () => {
  const blocks = Array.from({ length: 200 }, (_, i) => block(`b${i}`, i === 0 ? [] : [i - 1, Math.max(0, i - 7)]));
  const started = performance.now();
  expect(xmlProblems(networkGraph({ groups: [], blocks }))).toEqual([]);
  expect(performance.now() - started).toBeLessThan(5000);
});

test("no blocks overlap, and every connection runs downward from its block to its reader", () => {
  const nodes = fc
    .array(fc.tuple(fc.array(fc.nat(40), { maxLength: 4 }), fc.integer({ min: 20, max: 90 })), { maxLength: 40 })
    .map((all) =>
      all.map(([from, height], i): LayoutNode => ({ height, from: i === 0 ? [] : from.map((at) => at % i) })),
    );
  fc.assert(
    fc.property(nodes, (all) => {
      const width = 100;
      const layout = computeLayout(all, width);
      layout.nodes.forEach((a, i) => {
        expect(a.x - width / 2).toBeGreaterThanOrEqual(-0.5);
        expect(a.x + width / 2).toBeLessThanOrEqual(layout.width + 0.5);
        layout.nodes.slice(i + 1).forEach((b) => {
          if (a.y === b.y) expect(Math.abs(a.x - b.x)).toBeGreaterThanOrEqual(width);
        });
      });
      const edges = all.flatMap(({ from }, to) => [...new Set(from)].map((source) => `${source} ${to}`));
      expect(layout.edges.map(({ from, to }) => `${from} ${to}`).sort()).toEqual(edges.sort());
      for (const { from, to, points } of layout.edges) {
        expect(points[0]).toEqual([layout.nodes[from]?.x, (layout.nodes[from]?.y ?? 0) + (all[from]?.height ?? 0)]);
        expect(points.at(-1)).toEqual([layout.nodes[to]?.x, layout.nodes[to]?.y]);
        for (let i = 1; i < points.length; i++) expect(points[i]?.[1]).toBeGreaterThanOrEqual(points[i - 1]?.[1] ?? 0);
      }
    }),
    { numRuns: 200 },
  );
});
