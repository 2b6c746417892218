/** The paper's experiments from beginning to end: train, measure, compare, write. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Runner } from "@shrinknet/core";
import type { Experiment } from "./experiments/experiment.ts";
import { gainsUpTo10 } from "./measure/gains.ts";
import { measureExperiment } from "./measure/measure.ts";
import type { Measured } from "./measure/measured.ts";
import { type CheckResult, checkClaims } from "./results/claims.ts";
import { causesCsv, csv, rankingsCsv } from "./results/csv.ts";
import { causesFigure } from "./results/figures.ts";
import { paperPage } from "./results/page.ts";
import { experimentFiles, seedFiles, writeAll, writeWhole } from "./results/write.ts";

export interface PaperOptions {
  readonly experiments: readonly Experiment[];
  readonly runner: Runner;
  /** Folder for the results; made where it is missing. */
  readonly out: string;
  /** Number of seeds, which are 1, 2, ...; default 1. */
  readonly seeds?: number;
  /** Gain curves in the paper's steps of 0.001 in place of 0.01. */
  readonly fine?: boolean;
  /** Folder of trained networks; default {@link defaultCache}. */
  readonly cache?: string | undefined;
  readonly onProgress?: ((text: string, share: number) => void) | undefined;
}

export interface PaperSummary {
  readonly out: string;
  readonly experiments: readonly ExperimentSummary[];
  readonly claims: readonly CheckResult[];
}

export interface ExperimentSummary {
  readonly id: string;
  readonly seeds: readonly {
    readonly seed: number;
    readonly epochs: number;
    /** Whether training reached the paper's starting accuracy or error. */
    readonly reached: boolean;
    readonly cached: boolean;
    readonly error: number;
    readonly accuracy?: number;
  }[];
}

/** Trained networks are kept beside the user's other caches: $XDG_CACHE_HOME/shrinknet-paper or ~/.cache/shrinknet-paper. */
export function defaultCache(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "shrinknet-paper");
}

/**
 * Runs experiments and writes per seed and over all seeds CSV and SVG, `claims.csv`, `rankings.csv`, `causes.csv` and, last, `index.html`. The CSV
 * files are the same bytes for the same seeds on the same machine.
 */
export async function runPaper(options: PaperOptions): Promise<PaperSummary> {
  const { experiments, runner, out, fine = false, cache = defaultCache(), onProgress } = options;
  const seeds = Array.from({ length: options.seeds ?? 1 }, (_, i) => i + 1);
  const gains = gainsUpTo10(fine ? 0.001 : 0.01);
  const results: Measured[][] = [];
  let done = 0;
  for (const experiment of experiments) {
    const own: Measured[] = [];
    for (const seed of seeds) {
      const measured = await measureExperiment(experiment, {
        ...{ runner, seed, cache, gains },
        onProgress: (text, share) => {
          onProgress?.(`${experiment.id}, seed ${seed}: ${text}`, (done + share) / (experiments.length * seeds.length));
        },
      });
      await writeAll(join(out, experiment.id, `seed-${seed}`), seedFiles(measured));
      own.push(measured);
      done++;
    }
    await writeAll(join(out, experiment.id), experimentFiles(own));
    results.push(own);
  }
  const claims = checkClaims(
    seeds.map((_, i) => new Map(results.map((own) => [own[i]?.experiment.id ?? "", own[i] as Measured]))),
  );
  await writeWhole(join(out, "claims.csv"), claimsCsv(claims));
  await writeWhole(join(out, "rankings.csv"), rankingsCsv(results));
  await writeWhole(join(out, "causes.csv"), causesCsv(results));
  for (const about of ["units", "pairs"] as const) {
    await writeWhole(join(out, `causes-${about}.svg`), causesFigure(results, about));
  }
  await writeWhole(join(out, "index.html"), paperPage({ results, claims, runner: runner.name }));
  return { out, claims, experiments: results.map(summaryOf) };
}

function claimsCsv(claims: readonly CheckResult[]): string {
  const rows = claims.flatMap(({ finding, claim, measure, bound, values, verdict }) => {
    const [side, limit] = "atLeast" in bound ? ["at least", bound.atLeast] : ["at most", bound.atMost];
    return values.map((value, i) => [finding, claim, measure, i + 1, value, side, limit, verdict]);
  });
  return csv("finding,claim,measure,seed,value,side,bound,verdict", rows);
}

function summaryOf(seeds: readonly Measured[]): ExperimentSummary {
  return {
    id: seeds[0]?.experiment.id ?? "",
    seeds: seeds.map(({ seed, training, start: { error, accuracy } }) => {
      return { seed, ...training, error, ...(accuracy !== undefined && { accuracy }) };
    }),
  };
}
