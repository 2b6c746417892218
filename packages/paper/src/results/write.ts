/** The files of one experiment. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { analysisReport, causesChart, interactionsChart, partnersChart } from "@shrinknet/report";
import { criteria, type Measured } from "../measure/measured.ts";
import { compareWithPublished } from "./agreement.ts";
import { agreementCsv, bandsCsv, costsCsv, curvesCsv, gainsCsv, layersCsv, pairsCsv, partnersCsv } from "./csv.ts";
import { curvesFigure, gainsFigure, intuitionFigure, layersFigure, measuresOf, publishedFigure } from "./figures.ts";

/** Writes a file whole or not at all; folders are made. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, content);
  await rename(temporary, path);
}

/** Rows of the chart of elite and cancelling units; partners.csv has all. */
const PARTNERS = 30;

/** Of one seed: OUT/EXPERIMENT/seed-N/. */
export function seedFiles(measured: Measured): Map<string, string> {
  const files = new Map([
    ["curves.csv", curvesCsv(measured)],
    ["gains.csv", gainsCsv(measured)],
    ["layers.csv", layersCsv(measured)],
    ["agreement.csv", agreementCsv(measured)],
    ["costs.csv", costsCsv(measured)],
    ["pairs.csv", pairsCsv(measured)],
    ["partners.csv", partnersCsv(measured)],
    ["analysis.html", analysisReport(measured.analysis)],
  ]);
  const { schedules } = measured.experiment;
  const { steps, interactions } = measured.analysis;
  files.set(
    "causes.svg",
    causesChart(steps, { title: `Rank correlation with the oracle: ${measured.analysis.model}` }),
  );
  if (interactions) {
    files.set("interactions.svg", interactionsChart(interactions));
    const partners = interactions.partners.slice(0, PARTNERS);
    files.set("partners.svg", partnersChart(partners, { title: "Elite and cancelling units: the most costly ones" }));
  }
  const intuition = intuitionFigure(measured);
  if (intuition) files.set("gain-intuition.svg", intuition);
  for (const schedule of schedules) {
    for (const measure of measuresOf(measured.experiment)) {
      for (const data of ["calibration", "test"] as const) {
        files.set(`${measure}-${schedule}-${data}.svg`, curvesFigure([measured], { schedule, measure, data }));
      }
    }
    for (const criterion of criteria) {
      files.set(`layers-${criterion}-${schedule}.svg`, layersFigure(measured, criterion, schedule));
    }
  }
  for (const criterion of criteria) {
    for (const space of ["log", "real"] as const) {
      files.set(`gains-${criterion}-${space}.svg`, gainsFigure(measured, criterion, space));
    }
  }
  return files;
}

/** Of all seeds together: OUT/EXPERIMENT/. */
export function experimentFiles(seeds: readonly Measured[]): Map<string, string> {
  const files = new Map([["bands.csv", bandsCsv(seeds)]]);
  const [first] = seeds;
  if (!first) return files;
  for (const schedule of first.experiment.schedules) {
    for (const measure of measuresOf(first.experiment)) {
      for (const data of ["calibration", "test"] as const) {
        files.set(`${measure}-${schedule}-${data}.svg`, curvesFigure(seeds, { schedule, measure, data }));
      }
    }
  }
  for (const published of first.experiment.figures) {
    const compared = compareWithPublished(published, seeds);
    files.set(`published-${published.measure}-${published.schedule}.svg`, publishedFigure(published, compared));
  }
  return files;
}

export async function writeAll(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, content] of files) await writeWhole(join(folder, name), content);
}
