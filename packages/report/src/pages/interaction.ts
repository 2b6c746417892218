/**
 * The one script of a report: values of the lines under the pointer, and a slider over the removals. It reads what the page holds and
 * fetches nothing; without it the page says the same, only less handily.
 */
import type { PruneSummary } from "@shrinknet/core";
import { formatAccuracy, formatCount, formatNumber, formatShare } from "../format.ts";
import { type Content, html, raw } from "../html.ts";

/** Rows of a table that the slider goes through. */
interface Stage {
  readonly x: number;
  readonly cells: readonly string[];
}

export const script = `"use strict";
const SVG = "http://www.w3.org/2000/svg";
const panels = [...document.querySelectorAll("[data-values]")].map((panel) => {
  const values = JSON.parse(panel.dataset.values);
  const svg = panel.closest("svg");
  const rule = document.createElementNS(SVG, "line");
  const height = panel.getBBox().height;
  for (const [name, value] of [["y1", values.box.top], ["y2", height - values.box.bottom], ["stroke", "currentColor"], ["stroke-opacity", "0.5"], ["visibility", "hidden"]]) rule.setAttribute(name, value);
  panel.append(rule);
  const said = document.createElement("p");
  said.className = "values";
  said.setAttribute("aria-live", "polite");
  svg.after(said);
  return { panel, svg, rule, said, ...values };
});
const nearest = (points, x) => {
  let best;
  for (const point of points) if (!best || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
  return best;
};
function show({ rule, said, box, x: [low, high], xLabel, lines }, x) {
  const found = lines.map(({ name, points }) => [name, nearest(points, x)]).filter(([, point]) => point);
  if (found.length === 0) return;
  const at = found.reduce((best, [, point]) => Math.abs(point[0] - x) < Math.abs(best - x) ? point[0] : best, found[0][1][0]);
  const pixel = box.left + (high === low ? 0 : (at - low) / (high - low)) * (box.right - box.left);
  rule.setAttribute("x1", pixel);
  rule.setAttribute("x2", pixel);
  rule.setAttribute("visibility", "visible");
  said.textContent = xLabel + " " + at + ": " + found.map(([name, point]) => name + " " + point[1]).join(", ");
}
for (const one of panels) {
  one.svg.addEventListener("pointermove", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(one.panel.getScreenCTM().inverse());
    const share = (point.x - one.box.left) / (one.box.right - one.box.left);
    if (share >= -0.05 && share <= 1.05) show(one, one.x[0] + share * (one.x[1] - one.x[0]));
  });
}
const slider = document.getElementById("stage");
if (slider) {
  const stages = JSON.parse(document.getElementById("stages").textContent);
  const cells = [...document.querySelectorAll("[data-stage]")];
  const move = () => {
    const { x, cells: texts } = stages[slider.value];
    cells.forEach((cell, at) => { cell.textContent = texts[at]; });
    slider.setAttribute("aria-valuetext", x + " removed");
    for (const one of panels) if (one.xLabel === "units removed") show(one, x);
  };
  slider.addEventListener("input", move);
  document.getElementById("stage-part").hidden = false;
}
`;

/** Of {@link script}, for the content security policy; a test holds it to the script. */
export const SCRIPT_HASH = "sha256-eeP9Hz6fVXIZYU1VoyT1Rpx+oasRJFcUeYONhU/EJi0=";

/** Stages that the slider stops at, at most. */
const MOST = 400;

/** A slider over the removals, and what the network was at each; nothing where little was removed. */
export function stageSlider({ before, removed }: PruneSummary): Content {
  if (removed.length < 2) return undefined;
  const every = Math.ceil(removed.length / MOST);
  const states = removed.filter((_, at) => at === removed.length - 1 || at % every === every - 1);
  const columns = [
    ["units removed", ({ step }: Shown) => formatCount(step)],
    [
      "parameters",
      ({ parameters }: Shown) => `${formatCount(parameters)} (${formatShare(parameters / before.parameters)})`,
    ],
    ["MACs", ({ macs }: Shown) => `${formatCount(macs)} (${formatShare(macs / before.macs)})`],
    ["error", ({ error }: Shown) => formatNumber(error)],
    ["accuracy", ({ accuracy }: Shown) => (accuracy === undefined ? "—" : formatAccuracy(accuracy))],
    ["test accuracy", ({ test }: Shown) => (test?.accuracy === undefined ? "—" : formatAccuracy(test.accuracy))],
  ] as const;
  const shown = [{ ...before, step: 0 }, ...states] as const;
  const used = columns.filter(([, text]) => shown.some((state) => text(state) !== "—"));
  const stages = shown.map((state): Stage => ({ x: state.step, cells: used.map(([, text]) => text(state)) }));
  const last = stages.at(-1) as Stage;
  const json = JSON.stringify(stages).replaceAll("<", "\\u003c");
  return html`<section id="stage-part" hidden><h2>Stage by stage</h2>
<label class="slider">from the original to the end <input id="stage" type="range" min="0" max="${stages.length - 1}" value="${stages.length - 1}"></label>
<dl class="stage">${used.map(([name], at) => html`<dt>${name}</dt><dd data-stage>${last.cells[at] ?? ""}</dd>`)}</dl>
<script type="application/json" id="stages">${raw(json)}</script></section>
`;
}

type Shown = Pick<PruneSummary["removed"][number], "step" | "parameters" | "macs" | "error" | "accuracy" | "test">;
