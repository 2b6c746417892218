import type { PaperSummary } from "@shrinknet/paper";
import type { Colors } from "./colors.ts";
import { formatNumber, formatShare, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

/** The package, which is loaded only when the command is asked for. */
type Paper = typeof import("@shrinknet/paper");

/** What `paper list` prints. */
export function paperListText({ experiments, goalText, unitsOf }: Paper, colors: Colors): string {
  const columns: Column[] = [
    { title: "experiment" },
    { title: "network" },
    { title: "units", align: "right" },
    { title: "trained to" },
    { title: "schedules" },
  ];
  const rows = experiments.map((experiment) => [
    experiment.id,
    experiment.widths.join("-"),
    String(unitsOf(experiment)),
    goalText(experiment.training.goal),
    experiment.schedules.join(", "),
  ]);
  return table(columns, rows, colors);
}

/** What `paper` prints: how far training got, and the verdict on every check. */
export function paperText(
  { boundText, findings, rangeText, verdictOf }: Paper,
  { experiments, claims, out }: PaperSummary,
  colors: Colors,
): string {
  const networks = experiments.flatMap(({ id, seeds }) =>
    seeds.map(({ seed, epochs, reached, cached, error, accuracy }) => [
      ...[id, String(seed), formatNumber(error), accuracy === undefined ? "" : formatShare(accuracy, 2)],
      `${cached ? "from the cache" : `${epochs} epochs`}${reached ? "" : ", short of the paper's"}`,
    ]),
  );
  const checks = claims.map(({ finding, claim, bound, median, values, passes, verdict }) => [
    ...[String(finding), claim, rangeText(median, values), boundText(bound)],
    ...[`${passes} of ${values.length}`, verdict],
  ]);
  const numbers = [...new Set(claims.map(({ finding }) => finding))];
  const verdicts = numbers.map((finding) => [
    `${finding}. ${findings[finding] ?? ""}`,
    verdictOf(claims.filter((claim) => claim.finding === finding)),
  ]);
  const right = (title: string): Column => ({ title, align: "right" });
  return [
    table([{ title: "network" }, right("seed"), right("error"), right("accuracy"), { title: "" }], networks, colors),
    checks.length > 0 &&
      table(
        [{ title: "" }, { title: "check" }, right("measured"), right("bound"), right("seeds"), { title: "" }],
        checks,
        colors,
      ),
    verdicts.length > 0 && table([{ title: "finding" }, { title: "verdict" }], verdicts, colors),
    `wrote ${out}/index.html and the CSV and SVG files beside it (${plural(experiments.length, "experiment")})\n`,
  ]
    .filter((part) => typeof part === "string")
    .join("\n");
}
