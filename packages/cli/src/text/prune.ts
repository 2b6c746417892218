import { certificatesInWords, type LayerWidth, type PruneSummary } from "shrinknet";
import { beforeAfter } from "./before-after.ts";
import type { Colors } from "./colors.ts";
import { formatCount, formatNumber, formatSeconds, plural } from "./format.ts";
import { table } from "./table.ts";

/** What `prune` prints; `files` are the files that were written. */
export function pruneText(summary: PruneSummary, files: readonly string[], colors: Colors): string {
  const { model, before, after, criterion, schedule, objective, certificates, seconds, layers } = summary;
  const by = [
    `${criterion}, ${schedule}`,
    ...(objective === "none" ? [] : [`objective ${objective}`]),
    formatSeconds(seconds),
  ];
  return [
    `${colors.bold(model)}: removed ${formatCount(before.units - after.units)} of ${plural(before.units, "unit")} (${by.join(", ")})\n`,
    beforeAfter(before, after, colors),
    widths(layers, colors),
    ...(certificates.evaluations > 0 ? [`${certificatesInWords(certificates)}\n`] : []),
    `stopped: ${summary.stopped}\n${colors.green("verified")}: largest difference ${formatNumber(summary.verified)}\n` +
      `wrote ${files.toReversed().join(", ")}\n`,
  ].join("\n");
}

function widths(layers: readonly LayerWidth[], colors: Colors): string {
  return table(
    [{ title: "layer" }, { title: "kind" }, { title: "before", align: "right" }, { title: "after", align: "right" }],
    layers.map(({ layer, kind, before, after }) => [layer, kind, formatCount(before), formatCount(after)]),
    colors,
  );
}
