import { type Content, html, type Markup, raw } from "../html.ts";
import { SCRIPT_HASH, script } from "./interaction.ts";

const css = `
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --soft: #5c5c5c; --line: #d4d4d4; --good: #16794f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --paper: #111; --soft: #a8a8a8; --line: #3a3a3a; --good: #4cc38a; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 88rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.2rem; }
p { margin: 0.5rem 0; max-width: 60rem; overflow-wrap: anywhere; }
.soft, figcaption, footer { color: var(--soft); }
.good::before { content: "✓ "; } .good { color: var(--good); }
.bad::before { content: "! "; font-weight: 700; } .bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; vertical-align: bottom; white-space: normal; max-width: 13rem; }
.names1 :is(th, td):nth-child(-n+1), .names2 :is(th, td):nth-child(-n+2), .names3 :is(th, td):nth-child(-n+3) { text-align: left; }
.names3 td { vertical-align: top; } .names3 td:nth-child(-n+3) { white-space: normal; }
.trace :is(th, td):nth-child(2) { text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); gap: 1.5rem 2rem; align-items: start; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.875rem; max-width: 40rem; padding-left: 8px; }
summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.answer { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 1rem; margin: 1.5rem 0; }
.answer div { border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem 1rem; }
.answer h2 { margin: 0; font-size: 0.9rem; font-weight: 500; color: var(--soft); }
.answer strong { display: block; font-size: 1.75rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.answer p { margin: 0; font-size: 0.875rem; color: var(--soft); }
.first { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); gap: 0 2rem; align-items: start; }
.values { min-height: 1.5em; margin: 0; padding-left: 8px; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.slider { display: flex; gap: 1rem; flex-wrap: wrap; align-items: center; max-width: 60rem; } .slider input { flex: 1 1 16rem; min-height: 2rem; }
.stage { margin-top: 0.5rem; display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; } .stage dt::after { content: ":"; }
@media (max-width: 34rem) { body { padding: 1rem 0.75rem; } h1 { font-size: 1.3rem; } .scroll { margin-right: -0.75rem; } }
@media print { body { max-width: none; padding: 0; } .slider, .values, #stage-part { display: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
`;

/**
 * A complete HTML document that needs nothing else: style, drawings and one small script are inside, and a content security policy forbids
 * any other script and loading anything.
 */
export function page(title: string, body: Content): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '${SCRIPT_HASH}'">
<title>${title}</title>
<style>${raw(css)}</style>
</head>
<body>
${body}
<script>${raw(script)}</script>
</body>
</html>
`.markup;
}

/** A chart with a sentence that says how to read it. */
export function figure(svg: string, caption: string): Markup {
  return html`<figure>${raw(svg)}<figcaption>${caption}</figcaption></figure>\n`;
}

/** A section; left out if it has nothing to show. */
export function section(title: string, figures: readonly Markup[]): Content {
  return figures.length > 0 && html`<section><h2>${title}</h2>\n<div class="charts">\n${figures}</div></section>\n`;
}

/** A table. `look`: CSS class names; `names1` or `names2` sets the first one or two columns to the left. */
export function table(head: readonly string[], rows: readonly (readonly Content[])[], look = "names1"): Markup {
  const body = rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}`)}\n`);
  return html`<div class="scroll"><table class="${look}">
<thead><tr>${head.map((cell) => html`<th>${cell}</th>`)}</tr></thead>
<tbody>
${body}</tbody></table></div>
`;
}

/** Terms and what they are. */
export function facts(entries: readonly (readonly [term: string, value: string])[]): Markup {
  return html`<dl>${entries.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>`;
}
