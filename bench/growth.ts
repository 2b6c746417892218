/**
 * How the exact oracle's time grows with samples and with units, as a table and as bench/growth.svg.
 *
 *     npm run bench:growth
 */
import { writeFileSync } from "node:fs";
import { choose, oracleBy } from "@shrinknet/core";
import { lineChart, type Point } from "@shrinknet/report";
import { machine, timed, trained } from "./timed.ts";

const samples = [1000, 2000, 5000, 10000].map((count) => ({ units: 100, samples: count }));
const units = [50, 100, 200, 400].map((count) => ({ units: count, samples: 2000 }));

console.log(`${machine()}\n`);
console.log("| units | samples | processor seconds | per evaluation and 1,000 samples (µs) |");
console.log("|---|---|---|---|");
const bySamples = await measure(samples);
const byUnits = await measure(units);
const line = (points: readonly { x: number; y: number }[]): Point[] => {
  const [base] = points;
  return points.map(({ x, y }): Point => [x / (base?.x ?? 1), y / (base?.y ?? 1)]);
};
const growth = (name: string, points: readonly Point[], power: number, style: number) => [
  { name, points, style },
  { name: power === 1 ? "linear" : "quadratic", points: points.map(([x]): Point => [x, x ** power]), style: style + 1 },
];
writeFileSync(
  new URL("growth.svg", import.meta.url),
  lineChart({
    title: "Exact oracle, all units removed: growth of time",
    xLabel: "times the samples (from 1,000), times the units (from 50)",
    yLabel: "times the processor seconds",
    yScale: "log",
    series: [
      ...growth("with samples", line(bySamples.map(({ samples: x, seconds: y }) => ({ x, y }))), 1, 0),
      ...growth("with units", line(byUnits.map(({ units: x, seconds: y }) => ({ x, y }))), 2, 2),
    ],
  }),
);

/** The second of two runs of each: the first warms up. */
async function measure(cases: readonly { units: number; samples: number }[]) {
  const result = [];
  for (const one of cases) {
    const evaluator = await trained(`400-${one.units}-10`, one.samples);
    const go = () => timed(() => choose(evaluator.prunable, evaluator, { criterion: oracleBy("exact"), minKeep: 0 }));
    await go();
    const { processor: seconds, result: run } = await go();
    const each = (seconds / run.evaluations / one.samples) * 1e9;
    console.log(`| ${one.units} | ${one.samples} | ${seconds.toFixed(2)} | ${each.toFixed(1)} |`);
    result.push({ ...one, seconds });
  }
  return result;
}
