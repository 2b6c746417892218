/** Markup that may be written as it stands. Only this module and the charts make it; everything else is text and gets escaped. */
export interface Markup {
  readonly markup: string;
}

/** What a template may contain; `undefined` and `false` write nothing. */
export type Content = Markup | string | number | undefined | false | readonly Content[];

/** Escapes text for HTML and XML, in elements and in quoted attributes. Control characters, which XML forbids, become U+FFFD. */
export function escapeText(text: string): string {
  return printable(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Text without characters that XML forbids. */
export function printable(text: string): string {
  return Array.from(text, (c) => (isPrintable(c) ? c : "\ufffd")).join("");
}

/** Of one code point; a lone half of a surrogate pair is not printable either. */
function isPrintable(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  if (code < 32) return code === 9 || code === 10 || code === 13;
  return !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

/** Declares a string to be markup. */
export function raw(markup: string): Markup {
  return { markup };
}

/** Template that escapes every value except {@link Markup}: `` html`<p>${name}</p>` ``. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return raw(parts.map((part, i) => part + (i < values.length ? write(values[i]) : "")).join(""));
}

function write(value: Content): string {
  if (value === undefined || value === false) return "";
  if (typeof value === "string") return escapeText(value);
  if (typeof value === "number") return escapeText(String(value));
  if ("markup" in value) return value.markup;
  return value.map(write).join("");
}
