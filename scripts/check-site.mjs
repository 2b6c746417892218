// The documentation as a site: built without warnings, every link leads to a page or a heading, and in a browser (Debian's chromium) no page
// has an error on its console or is wider than a phone. SHRINKNET_CI=1 makes a missing browser a failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, resolve } from "node:path";

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

const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!browser) {
  if (process.env.SHRINKNET_CI) fail("no browser: apt-get install chromium");
  console.log("not looked at in a browser: there is no chromium (apt-get install chromium)");
  process.exit(0);
}
const { chromium } = await import("playwright-core");
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};
const server = createServer((request, response) => {
  const path = join(site, normalize(decodeURIComponent(new URL(request.url, "http://site").pathname)));
  if (!existsSync(path)) return response.writeHead(404).end();
  response
    .writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" })
    .end(readFileSync(path));
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;
const running = await chromium.launch({ executablePath: browser, args });
const shots = process.argv[2];
if (shots) mkdirSync(shots, { recursive: true });
const seen = [
  "index.html",
  ...pages.filter((page) => page.startsWith("documents/")),
  "functions/shrinknet_src.prune.html",
];
try {
  for (const width of [390, 1280]) {
    const page = await running.newPage({ viewport: { width, height: 844 } });
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on(
      "request",
      (request) =>
        request.url().startsWith(origin) ||
        request.url().startsWith("data:") ||
        errors.push(`asks for ${request.url()}`),
    );
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
  server.close();
}
console.log(`${seen.length} pages looked at in chromium at 390 and 1280 pixels: no errors, nothing too wide`);

function hasAnchor(text, anchor) {
  return text.includes(`id="${anchor}"`) || text.toLowerCase().includes(`id="${anchor.toLowerCase()}"`);
}

function fail(message) {
  console.log(message);
  process.exit(1);
}
