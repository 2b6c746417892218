import type { Certificates, Removal } from "../results.ts";

/**
 * Sums up the certificates of a trace. Brute force runs the whole network once for every candidate of every removal; its
 * arithmetic is counted with the network after the removal, which every candidate of that removal comes close to.
 */
export function certificatesOf(trace: readonly Removal[]): Certificates {
  const sum = (of: (row: Removal) => number): number => trace.reduce((total, row) => total + of(row), 0);
  const work = sum((row) => row.work);
  return {
    picks: trace.length,
    proved: sum(({ certificate }) => (certificate === "exact" ? 1 : 0)),
    raced: sum(({ certificate }) => (certificate === "racing" ? 1 : 0)),
    evaluations: sum((row) => row.evaluations),
    bruteForce: sum((row) => row.candidates),
    timesLess: work > 0 ? sum((row) => row.candidates * row.macs) / work : null,
  };
}

/** `699 candidate evaluations instead of 5,040, 310 times less arithmetic than brute force; 0 of 100 picks proved` */
export function certificatesInWords({ picks, proved, raced, ...cost }: Certificates): string {
  const count = (value: number): string => Math.round(value).toLocaleString("en");
  const instead = cost.evaluations < cost.bruteForce ? ` instead of ${count(cost.bruteForce)}` : "";
  const times = cost.timesLess === null ? "" : Number(cost.timesLess.toPrecision(2)).toLocaleString("en");
  const less = times && `, ${times} times less arithmetic than brute force`;
  let sure = `${count(proved)} of ${count(picks)} picks proved best`;
  if (proved === picks) sure = "all picks proved best";
  else if (raced > 0) sure = `${count(raced)} of ${count(picks)} picks best by racing`;
  return `${count(cost.evaluations)} candidate evaluations${instead}${less}; ${sure}`;
}
