import { script } from "../src/pages/interaction.ts";

/** The document with numbers of at most three decimals, so that a snapshot does not depend on the last bits of a machine's arithmetic. */
export function rounded(markup: string): string {
  return markup.replace(/-?\d+\.\d{4,}/g, (n) => String(Number(Number(n).toFixed(3))));
}

/** Problems of an XML text that its tags or entities show; empty if it is well formed as far as charts go. */
export function xmlProblems(xml: string): string[] {
  const open: string[] = [];
  const problems: string[] = [];
  const rest = xml.replace(
    /<(\/?)([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, end, name, _attributes, empty) => {
      if (end) {
        if (open.pop() !== name) problems.push(`unexpected </${name}>`);
      } else if (!empty) open.push(name);
      return "";
    },
  );
  if (open.length > 0) problems.push(`not closed: ${open.join(", ")}`);
  if (rest.includes("<")) problems.push(`stray <: ${rest.slice(rest.indexOf("<"), rest.indexOf("<") + 60)}`);
  if (/&(?!amp;|lt;|gt;|quot;|#39;|#\d+;)/.test(rest)) problems.push("stray &");
  return problems;
}

/** The page without its own script and what that reads; both are its own, as the content security policy says. */
export function withoutScript(page: string): string {
  return page.replace(`<script>${script}</script>`, "").replace(/<script type="application\/json".*?<\/script>/s, "");
}

/** Every place where the markup could make a browser fetch something. */
export function loads(markup: string): string[] {
  const withoutNamespace = markup.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
  const patterns = [
    /\b(src|href|srcset|data|action|xlink:href)\s*=/gi,
    /url\(|@import/gi,
    /<(script|link|iframe|img|object|embed)\b/gi,
  ];
  return patterns.flatMap((pattern) => withoutNamespace.match(pattern) ?? []);
}

export function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
