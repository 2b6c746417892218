/** The sections of a report on pruning that say how sure the accuracy is, and which classes paid for it. */
import type { AccuracyDrop, PruneSummary } from "@shrinknet/core";
import { classesChart } from "../charts/classes.ts";
import { type ClassChange, computeClassRows } from "../compute/classes.ts";
import { formatAccuracy, formatCount, formatPoints, formatShare } from "../format.ts";
import { type Content, html } from "../html.ts";
import { figure, table } from "./page.ts";
import { describeHeldOut } from "./wording.ts";

/** Most classes that the table names. */
const maxRows = 20;

/** The fall of accuracy with its intervals, and what was held out. Nothing without classes. */
export function dropSection(summary: PruneSummary): Content {
  const { answers } = summary;
  if (!answers) return false;
  const rows = [
    dropRow("calibration", answers.calibration.drop),
    ...(answers.heldOut ? [dropRow("of these, held out", answers.heldOut.drop)] : []),
    ...(answers.test ? [dropRow("test", answers.test.drop)] : []),
  ];
  const interval = `${formatShare(answers.calibration.drop.confidence)} interval`;
  return html`<section><h2>How sure the accuracy is</h2>
<p>${describeHeldOut(summary)}</p>
${table(["samples of", "samples", "change of accuracy", interval, "right, now wrong", "wrong, now right"], rows)}
<p class="soft">Both models answered the same samples, so only answers that changed count (adjusted Wald interval for paired shares; Bonett and Price 2012). On samples that chose the units the interval is too hopeful; on held-out and test samples it is fair.</p></section>
`;
}

function dropRow(name: string, { samples, drop, low, high, lost, won }: AccuracyDrop): string[] {
  const interval = `${formatPoints(-high)} to ${formatPoints(-low)}`;
  return [name, formatCount(samples), formatPoints(-drop), interval, formatCount(lost), formatCount(won)];
}

/** Accuracy by class: a chart of all classes, a table of those that lost most. Nothing without classes. */
export function classesSection(summary: PruneSummary): Content {
  const rows = computeClassRows(summary);
  if (rows.length === 0) return false;
  const hasTest = summary.answers?.test !== undefined;
  const sets = hasTest ? (["calibration", "test"] as const) : (["calibration"] as const);
  const shown = rows.slice(0, maxRows);
  const cells = (one: ClassChange | undefined): string[] =>
    one
      ? [formatCount(one.samples), formatAccuracy(one.before), formatAccuracy(one.after), formatPoints(one.change)]
      : ["0", "—", "—", "—"];
  const head = (name: string): string[] => ["samples", "before", "after", "change"].map((word) => `${word} (${name})`);
  const worst =
    rows.length > shown.length
      ? `The ${shown.length} of ${formatCount(rows.length)} classes that lost most`
      : "All classes, the one that lost most first";
  return html`<section><h2>Accuracy by class</h2>
<div class="charts">
${sets.map((set) => figure(classesChart(rows, set), "A point for each class. On the dashed diagonal nothing changed; below it the class is recognised less often than before."))}</div>
<p>${worst}${hasTest && " on the test data"}:</p>
${table(
  ["class", ...head("calibration"), ...(hasTest ? head("test") : [])],
  shown.map((row) => [String(row.class), ...cells(row.calibration), ...(hasTest ? cells(row.test) : [])]),
)}</section>
`;
}
