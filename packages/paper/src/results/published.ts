/** The paper's own curves, read off its drawings: data/curves.csv, of which every line is `figure,criterion,removed,value`. */
import { readFileSync } from "node:fs";
import { type CriterionName, criteria } from "../measure/measured.ts";

/** Value by units removed. Entry 0, the network as trained, was not drawn: NaN. */
export type PublishedCurves = Readonly<Record<CriterionName, readonly number[]>>;

let all: Map<string, Record<CriterionName, number[]>> | undefined;

/**
 * The curves of a figure. Already at `removed` = 0 they differ between the criteria, so a value drawn at k was most
 * likely taken after k + 1 removals, and stands at k + 1 here.
 */
export function publishedCurves(figure: string): PublishedCurves {
  all ??= parseCurves(readFileSync(new URL("../../data/curves.csv", import.meta.url), "utf8")); // beside src and dist alike
  const found = all.get(figure);
  if (!found) throw new Error(`data/curves.csv: has no figure "${figure}"`);
  return found;
}

export function parseCurves(csv: string): Map<string, Record<CriterionName, number[]>> {
  const figures = new Map<string, Record<CriterionName, number[]>>();
  for (const line of csv.trim().split("\n").slice(1)) {
    const [figure = "", name = "", removed, value] = line.split(",");
    const criterion = criteria.find((one) => one === name);
    if (!criterion) throw new Error(`data/curves.csv: unknown criterion "${name}"`);
    const curves = figures.get(figure) ?? { oracle: [Number.NaN], taylor1: [Number.NaN], taylor2: [Number.NaN] };
    figures.set(figure, curves);
    curves[criterion][Number(removed) + 1] = Number(value);
  }
  for (const curves of figures.values()) for (const criterion of criteria) fillGaps(curves[criterion]);
  return figures;
}

/** Values that the drawing leaves out, on the line between their neighbours. */
function fillGaps(curve: number[]): void {
  let known = 1;
  for (let i = 2; i < curve.length; i++) {
    if (curve[i] === undefined) continue;
    for (let gap = known + 1; gap < i; gap++) {
      const share = (gap - known) / (i - known);
      curve[gap] = (curve[known] as number) * (1 - share) + (curve[i] as number) * share;
    }
    known = i;
  }
}
