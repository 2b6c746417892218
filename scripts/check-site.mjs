// The documentation as a site: built without warnings, every link leads to a page or a heading, and in a browser (Debian's chromium) no page
// has an error on its console or is wider than a phone. SHRINKNET_CI=1 makes a missing browser a failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { launch, serve, watched } from "./browser.mjs";

const site = resolve("site");
const built = spawnSync("node_modules/.bin/typedoc", ["--treatWarningsAsErrors"], { encoding: "utf8" });
if (built.status !== 0) fail(`typedoc\n${built.stdout}${built.stderr}`);

const pages = readdirSync(site, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
const texts = new Map(pages.map((page) => [join(site, page), readFileSync(join(site, page), "utf8")]));
const broken = [];
for (const [page, text] of texts) {
  for (const [, link] of text.matchAll(/<a\b[^>]*\bhref="([^"]+)"/g)) {
    if (/^(https?:|mailto:)/.test(link)) continue;
    const [path, anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), decodeURIComponent(path));
    const found = texts.get(target);
    if (found === undefined ? !existsSync(target) : anchor && !hasAnchor(found, decodeURIComponent(anchor)))
      broken.push(`${page.slice(site.length + 1)}: ${link}`);
  }
}
if (broken.length > 0) fail(`links that lead nowhere:\n${broken.join("\n")}`);
console.log(`${pages.length} pages, all links lead somewhere`);

const running = await launch();
const { origin, close } = await serve(site);
const shots = process.argv[2];
if (shots) mkdirSync(shots, { recursive: true });
const seen = [
  "index.html",
  ...pages.filter((page) => page.startsWith("documents/")),
  "functions/shrinknet_src.prune.html",
];
try {
  for (const width of [390, 1280]) {
    const { page, errors } = await watched(running, origin, { viewport: { width, height: 844 } });
    for (const name of seen.filter((one) => existsSync(join(site, one)))) {
      await page.goto(`${origin}/${name}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (overflow > 0) errors.push(`${overflow} pixels wider than ${width}`);
      if (errors.length > 0) fail(`${name}: ${errors.join("; ")}`);
      if (shots) await page.screenshot({ path: join(shots, `${width}-${name.replaceAll("/", "-")}.png`) });
    }
    await page.close();
  }
} finally {
  await running.close();
  close();
}
console.log(`${seen.length} pages looked at in chromium at 390 and 1280 pixels: no errors, nothing too wide`);

function hasAnchor(text, anchor) {
  return text.includes(`id="${anchor}"`) || text.toLowerCase().includes(`id="${anchor.toLowerCase()}"`);
}

function fail(message) {
  console.log(message);
  process.exit(1);
}
