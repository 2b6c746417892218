import type { AssumedLength, InspectSummary, LayerTimes, MemberSummary } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { formatCount, formatNumber, formatShare, plural } from "./format.ts";
import { table } from "./table.ts";

const mostObstacles = 5;

/** What `inspect` prints. */
export function inspectText(summary: InspectSummary, colors: Colors): string {
  const { model, inputs, outputs, opset, parameters, macs, units, groups, frozen, removable, obstacles } = summary;
  const biggest = obstacles.find(({ reason, alone }) => reason !== "outputs of the model" && alone.macs > 0);
  const stuck = frozen.reduce((sum, { size }) => sum + size, 0);
  const total = units + stuck;
  const ports = [
    ...inputs.map((port) => ["input", port] as const),
    ...outputs.map((port) => ["output", port] as const),
  ];
  const parts = [
    `${colors.bold(model)}: opset ${opset}, ${plural(parameters, "parameter")}, ${plural(macs, "MAC")} per sample\n`,
    ports
      .map(
        ([side, { name, type, shape }]) => `${side} ${name}: ${type} [${shape.map((dim) => dim ?? "?").join(", ")}]\n`,
      )
      .join(""),
    groups.length > 0 &&
      `\n${table(
        [{ title: "group" }, { title: "kind" }, { title: "units", align: "right" }, { title: "cut from" }],
        groups.map(({ id, kind, size, members }) => [id, kind, formatCount(size), members.map(memberText).join(", ")]),
        colors,
      )}`,
    frozen.length > 0 &&
      `\n${table(
        [{ title: "frozen" }, { title: "units", align: "right" }, { title: "why" }],
        frozen.map(({ layer, value, size, reason }) => [layer ?? value, formatCount(size), reason]),
        colors,
      )}`,
    `\n${units === 0 ? "Nothing" : `${formatCount(units)} of ${plural(total, "unit")} (${formatShare(units / total)})`} can be removed.\n`,
    units > 0 &&
      `${formatShare(removable.parameters)} of the parameters and ${formatShare(removable.macs)} of the MACs depend on them.\n`,
    obstacles.length > 0 &&
      `\n${table(
        [
          { title: "obstacle" },
          { title: "units", align: "right" },
          { title: "parameters", align: "right" },
          { title: "MACs", align: "right" },
        ],
        obstacles
          .slice(0, mostObstacles)
          .map((one) => [one.reason, formatCount(one.count), formatShare(one.parameters), formatShare(one.macs)]),
        colors,
      )}${biggest ? `Without the biggest, "${biggest.reason}", ${formatCount(Math.round(biggest.alone.units * total))} units more could be cut: ${formatShare(biggest.alone.macs)} of the MACs depend on them.\n` : ""}`,
    summary.latency !== undefined && timesText(summary.latency, colors),
  ];
  return parts.filter((part) => part !== false).join("");
}

const mostLayers = 12;

function timesText({ milliseconds, layers, other }: LayerTimes, colors: Colors): string {
  const rows = layers
    .slice(0, mostLayers)
    .map((one) => [one.layer, one.operator, one.milliseconds, one.share] as const);
  const others = layers.slice(mostLayers);
  const sum = (of: "milliseconds" | "share"): number => others.reduce((total, one) => total + one[of], 0);
  const rest = others.length > 0 ? [[`${others.length} others`, "", sum("milliseconds"), sum("share")] as const] : [];
  const own = [["the runtime's own", "", other.milliseconds, other.share] as const];
  return `\n${table(
    [
      { title: "layer" },
      { title: "operator" },
      { title: "ms", align: "right" },
      { title: "share of the time", align: "right" },
    ],
    [...rows, ...rest, ...own].map(([layer, operator, time, share]) => [
      layer,
      operator,
      formatNumber(time),
      formatShare(share),
    ]),
    colors,
  )}A run takes ${formatNumber(milliseconds)} ms in its layers.\n`;
}

/** `W1[:, i]`: where unit i lies. */
function memberText({ initializer, axis, offset = 0, stride = 1, count = 1 }: MemberSummary): string {
  const start = `${stride === 1 ? "" : `${stride}*`}i${offset === 0 ? "" : `+${offset}`}`;
  return `${initializer}[${":,".repeat(axis)}${start}${count === 1 ? "" : ` (${count} each)`}]`;
}

/** A line for each length that was assumed. */
export function assumedText(assumed: readonly AssumedLength[]): string {
  const lines = assumed.map(
    ({ input, axis, length }) =>
      `note: input "${input}": the file does not say how long axis ${axis} is, ${length} was taken; MACs depend on it, give your own with --shape or --data\n`,
  );
  return lines.join("");
}
