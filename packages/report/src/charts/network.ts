/** The network drawn from top to bottom: what can be removed in colours and numbers, what cannot with a letter and why. */
import type { NetworkBlock, NetworkSummary } from "@shrinknet/core";
import { computeLayout } from "../compute/layout.ts";
import { formatCount } from "../format.ts";
import { escapeText } from "../html.ts";
import { type ChartOptions, fitText, layerLabel, svgFile } from "./frame.ts";
import { colors } from "./palette.ts";

const BLOCK = 216;
const LINE = 16;
const PADDING = 6;
const MARGIN = 16;
const TITLE = 34;
/** Width of a group's number in its box, and of one row of the key. */
const CHIP = 24;
const KEY = 300;
/** Room for reasons and titles. */
const LEAST = 480;
/** Numbers that fit into one line of a block. */
const CHIPS = 7;

interface Marks {
  readonly groups: ReadonlyMap<string, number>;
  readonly reasons: ReadonlyMap<string, string>;
}

/**
 * The network as a complete SVG file. Every block is a layer with what follows it without weights; numbers in colour are
 * the groups whose units run through it, letters in dashed frames the reasons why other units of it cannot be removed.
 */
export function networkGraph(network: NetworkSummary, options: Pick<ChartOptions, "title"> = {}): string {
  const { title = "Network" } = options;
  const { blocks, groups } = network;
  const reasons = [...new Set(blocks.flatMap(({ frozen }) => frozen))];
  const marks: Marks = {
    groups: new Map(groups.map(({ id }, at) => [id, at])),
    reasons: new Map(reasons.map((reason, at) => [reason, letter(at)])),
  };
  const texts = blocks.map((block) => linesOf(block));
  const layout = computeLayout(
    blocks.map((block, i) => ({ height: heightOf(block, texts[i] as string[]), from: block.from })),
    BLOCK,
  );
  const inner = Math.max(layout.width, LEAST);
  const key = keyOf(network, reasons, inner);
  const width = inner + 2 * MARGIN;
  const shift = MARGIN + (inner - layout.width) / 2;
  return svgFile({ title, width, height: TITLE + layout.height + 2 * MARGIN + key.height }, [
    `<g transform="translate(${shift},${TITLE})">`,
    ...layout.edges.map(
      ({ points }) => `<path d="${curve(points)}" fill="none" stroke="currentColor" stroke-opacity="0.45"/>`,
    ),
    ...layout.nodes.map(({ x, y }, i) =>
      drawBlock(blocks[i] as NetworkBlock, texts[i] as string[], marks, x - BLOCK / 2, y),
    ),
    "</g>",
    `<g transform="translate(${MARGIN},${TITLE + layout.height + MARGIN})">${key.markup}</g>`,
  ]);
}

/** Operator and shape, name, and what follows without weights. */
function linesOf({ kind, name, operators, dims }: NetworkBlock): string[] {
  const shape = dims.slice(1).map(formatCount).join(" × ");
  const [first = kind, ...rest] = operators;
  const head = fitText(shape === "" ? first : `${first}  ${shape}`, BLOCK - 16, 12);
  if (kind === "joint") return [head, ...follow(rest)];
  return [head, layerLabel(name, 30), ...follow(rest)];
}

function follow(operators: readonly string[]): string[] {
  const runs = operators.filter((operator, i) => operator !== operators[i - 1]);
  return runs.length === 0 ? [] : [fitText(`+ ${runs.join(", ")}`, BLOCK - 16, 11)];
}

function heightOf({ groups, frozen }: NetworkBlock, lines: readonly string[]): number {
  const marked = groups.length > 0 || frozen.length > 0;
  return 2 * PADDING + LINE * lines.length + (marked ? LINE + 4 : 0);
}

function drawBlock(block: NetworkBlock, lines: readonly string[], marks: Marks, x: number, y: number): string {
  const { name, operators, groups, frozen } = block;
  const [first] = groups;
  const color = first === undefined ? "currentColor" : colorOf(marks.groups.get(first) ?? 0);
  const dashed = frozen.length > 0 ? ' stroke-dasharray="5 3"' : "";
  const about = [name, operators.join(", "), ...frozen.map((reason) => `frozen: ${reason}`)];
  const texts = lines.map(
    (line, i) =>
      `<text x="8" y="${PADDING + 12 + i * LINE}"${i === 0 ? ' font-weight="600"' : ' font-size="11" fill-opacity="0.75"'}>${escapeText(line)}</text>`,
  );
  const shown = groups.slice(0, groups.length > CHIPS ? CHIPS - 1 : CHIPS);
  const chips = [
    ...shown.map((id) => chip(marks.groups.get(id) ?? 0)),
    ...frozen.slice(0, 2).map((reason) => frozenChip(marks.reasons.get(reason) ?? "")),
  ];
  const after = 12 + chips.length * (CHIP + 3);
  const more = groups.length - shown.length;
  const row = PADDING + LINE * lines.length + 2;
  return [
    `<g transform="translate(${x},${y})"><title>${escapeText(about.filter((part) => part !== "").join("\n"))}</title>`,
    `<rect width="${BLOCK}" height="${heightOf(block, lines)}" rx="${block.kind === "layer" ? 3 : 12}" fill="${color}" fill-opacity="${first === undefined ? 0.04 : 0.1}" stroke="${color}"${dashed}/>`,
    ...texts,
    ...chips.map((markup, i) => `<g transform="translate(${8 + i * (CHIP + 3)},${row})">${markup}</g>`),
    ...(more > 0 ? [`<text x="${after}" y="${row + 12}" font-size="11">+${more}</text>`] : []),
    ...(groups.length === 0 && frozen[0] !== undefined
      ? [
          `<text x="${after}" y="${row + 12}" font-size="10">${escapeText(fitText(frozen[0].replace(/ "[^"]*"/, ""), BLOCK - after - 6, 10))}</text>`,
        ]
      : []),
    "</g>",
  ].join("");
}

/** What the numbers and letters stand for, in columns. */
function keyOf(
  { groups }: NetworkSummary,
  reasons: readonly string[],
  width: number,
): { markup: string; height: number } {
  const columns = Math.max(1, Math.floor(width / KEY));
  const step = Math.floor(width / columns);
  const entries = groups.map(
    ({ layer, kind, size }, at) =>
      `${chip(at)}<text x="${CHIP + 8}" y="12" font-size="11">${escapeText(`${fitText(layerLabel(layer, 26), step - 110, 11)}: ${formatCount(size)} ${kind}${size === 1 ? "" : "s"}`)}</text>`,
  );
  const rows = Math.ceil(entries.length / columns);
  const markup = entries.map(
    (entry, i) => `<g transform="translate(${Math.floor(i / rows) * step},${(i % rows) * 20})">${entry}</g>`,
  );
  const why = reasons.map(
    (reason, at) =>
      `<g transform="translate(0,${(rows + at) * 20})">${frozenChip(letter(at))}<text x="${CHIP + 8}" y="12" font-size="11">${escapeText(fitText(`frozen: ${reason}`, width - CHIP - 12, 11))}</text></g>`,
  );
  return { markup: [...markup, ...why].join("\n"), height: (rows + reasons.length) * 20 };
}

function chip(group: number): string {
  return `<rect width="${CHIP}" height="16" rx="3" fill="${colorOf(group)}"/><text x="${CHIP / 2}" y="12" font-size="11" font-weight="600" text-anchor="middle" fill="#fff">${group + 1}</text>`;
}

function frozenChip(mark: string): string {
  return `<rect width="${CHIP}" height="16" rx="3" fill="none" stroke="currentColor" stroke-dasharray="3 2"/><text x="${CHIP / 2}" y="12" font-size="11" font-weight="600" text-anchor="middle">${mark}</text>`;
}

function colorOf(group: number): string {
  return colors[group % (colors.length - 1)] ?? "#7f7f7f"; // the last one is grey
}

/** a, b, ..., z, aa, ab, ... */
function letter(at: number): string {
  return (at >= 26 ? letter(Math.floor(at / 26) - 1) : "") + String.fromCharCode(97 + (at % 26));
}

function curve(points: readonly (readonly [number, number])[]): string {
  return points
    .map(([x, y], i) => {
      const before = points[i - 1];
      if (!before) return `M${x},${y}`;
      if (before[0] === x) return `L${x},${y}`;
      const middle = (before[1] + y) / 2;
      return `C${before[0]},${middle} ${x},${middle} ${x},${y}`;
    })
    .join("");
}
