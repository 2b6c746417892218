// The studio in chromium, as a person uses it: open, look, shrink, scrub, draw, download, go through the lesson, from the page alone and from
// the local server. What is downloaded equals what Node writes on the same runtime. No request leaves the origin, axe finds nothing
// serious, and the main thread is never held for long. Screenshots go to the folder given, or to a temporary one.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { emptyGraph, float32, GraphBuilder, prune, writeModel } from "@shrinknet/core";
import { readNpz } from "@shrinknet/data";
import { webRunner } from "@shrinknet/runtime/web";
import { serveStudio } from "@shrinknet/studio";
import { launch, serve, watched } from "./browser.mjs";

const LONGEST = 50; // milliseconds that the main thread may be held while a network shrinks
const MOST_SCRIPT = 300_000; // bytes of script before a model is opened

const require = createRequire(import.meta.url);
const page = resolve("packages/studio/dist/page");
const examples = join(page, "examples");
const shots = process.argv[2] ?? mkdtempSync(join(tmpdir(), "shrinknet-studio-"));
mkdirSync(shots, { recursive: true });
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await launch();
const site = await serve(page);
const local = await serveStudio({
  page,
  model: { name: "digits.onnx", bytes: readFileSync(join(examples, "digits.onnx")) },
  data: { source: "digits.npz", inputs: readNpz(readFileSync(join(examples, "digits.npz")), "digits.npz") },
});
try {
  await firstLoad();
  const bytes = await byThePage();
  await sameAsNode(bytes);
  await byTheServer();
  await otherFiles();
  await lesson();
} finally {
  await browser.close();
  site.close();
  await local.close();
  if (!process.argv[2]) rmSync(shots, { recursive: true, force: true });
}

/** Scripts that come before a model is opened, and when the page can be used. */
async function firstLoad() {
  const { page: tab, errors } = await watched(browser, site.origin, { viewport: { width: 1280, height: 900 } });
  const scripts = [];
  tab.on("response", (response) => /\.m?js$/.test(new URL(response.url()).pathname) && scripts.push(response.url()));
  const started = performance.now();
  await tab.goto(`${site.origin}/index.html`);
  await tab.waitForSelector("text=Drop an ONNX file here");
  const ready = performance.now() - started;
  const size = scripts.reduce((sum, url) => sum + statSync(join(page, new URL(url).pathname)).size, 0);
  check(size <= MOST_SCRIPT, `first load: ${size} bytes of script`);
  await looks(tab, "open");
  finish(errors, `first load: ${Math.round(size / 1000)} kB of script, usable after ${Math.round(ready)} ms`);
  await tab.close();
}

/** Open the example, look at map and units, shrink, scrub, draw; gives the downloaded model. */
async function byThePage() {
  const { page: tab, errors } = await watched(browser, site.origin, { viewport: { width: 1280, height: 900 } });
  await tab.goto(`${site.origin}/index.html`);
  check(await tab.evaluate(() => crossOriginIsolated), "the page is isolated");
  await tab.click("text=Digits, dense");
  await tab.waitForSelector("text=99.2 % right");
  await tab.click("text=Time each layer here");
  await tab.waitForSelector("text=/% time/");
  await tab.fill("input[type=search]", "hidden");
  check((await tab.locator("g.found").count()) === 1, "the search finds one layer");
  await tab.locator("#block-1").focus();
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("text=group hidden1: 100 neurons");
  await looks(tab, "map");
  await tab.click("role=tab[name=Units]");
  await tab.click("#unit-3");
  await tab.waitForSelector("text=costs to remove, measured");
  check((await tab.locator("svg.shrinknet-chart").count()) === 1, "the unit has a gain curve");
  await looks(tab, "units");
  await tab.click("role=tab[name=Shrink]");
  await tab.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ entryTypes: ["longtask"] });
  });
  await choose(tab, "units", "99");
  const started = performance.now();
  await tab.click("button.main:has-text('Shrink')");
  await tab.waitForSelector("text=99 of 99 removals", { timeout: 60_000 });
  const seconds = (performance.now() - started) / 1000;
  const longest = await tab.evaluate(() => window.longest);
  check(longest <= LONGEST, `the main thread was held for ${Math.round(longest)} ms`);
  // pause, step, go on
  await choose(tab, "units", "98");
  await tab.selectOption("select >> nth=0", "taylor2"); // slow enough to be caught
  await tab.click("button.main:has-text('Shrink')");
  await tab.click("button:has-text('Pause')");
  await tab.waitForSelector("button:has-text('Step')");
  await tab.click("button:has-text('Step')");
  await tab.waitForSelector("text=/removals/");
  await tab.locator(".scrubber input[type=range]").fill("1"); // back, while it waits
  await tab.waitForSelector("text=hidden1 100 → 99");
  await tab.click("button:has-text('Go on')");
  await tab.waitForSelector("text=98 of 98 removals", { timeout: 60_000 });
  await tab.locator("tr", { hasText: "run 1: oracle" }).locator("text=Look at").click();
  await tab.waitForSelector("text=99 of 99 removals");
  // the scrubber
  const slider = tab.locator(".scrubber input[type=range]");
  await slider.fill("60");
  await tab.waitForSelector("text=hidden1 100 → 40");
  await looks(tab, "shrink");
  await tab.click("role=tab[name=Play]");
  await tab.waitForSelector("text=get another answer");
  const pad = await tab.locator("canvas").first().boundingBox();
  await tab.mouse.move(pad.x + 110, pad.y + 30);
  await tab.mouse.down();
  await tab.mouse.move(pad.x + 112, pad.y + 190, { steps: 12 });
  await tab.mouse.up();
  await tab.waitForFunction(
    () =>
      document.querySelectorAll("main section canvas").length >= 1 && !document.querySelector("label.step + canvas"),
  );
  await tab.waitForSelector("text=/intact: [1-9]/");
  await looks(tab, "play");
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.click("text=Download this model")]);
  const [plan] = await Promise.all([tab.waitForEvent("download"), tab.click("text=its plan")]);
  check(
    JSON.parse(readFileSync(await plan.path(), "utf8")).removed.hidden1.length === 60,
    "the plan removes 60 neurons",
  );
  const [report] = await Promise.all([tab.waitForEvent("download"), tab.click("text=its report")]);
  check(readFileSync(await report.path(), "utf8").includes("<svg"), "the report has charts");
  finish(
    errors,
    `in the page: 5,049 candidates on 1,000 digits, from click to verified file ${seconds.toFixed(1)} s; main thread held ${Math.round(longest)} ms at most`,
  );
  const bytes = readFileSync(await download.path());
  await tab.close();
  return bytes;
}

/** The same run in Node, over the same runtime. */
async function sameAsNode(found) {
  const { buffer, byteOffset, byteLength } = readFileSync(
    require.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"),
  );
  const runner = webRunner({ threads: 1, wasm: buffer.slice(byteOffset, byteOffset + byteLength) });
  const data = { source: "digits.npz", inputs: readNpz(readFileSync(join(examples, "digits.npz")), "digits.npz") };
  const { bytes } = await prune(readFileSync(join(examples, "digits.onnx")), {
    runner,
    data,
    criterion: "oracle",
    budget: { remove: { count: 60 } },
  });
  check(
    found.equals(Buffer.from(bytes)),
    `the downloaded file (${found.length} bytes) is that of Node (${bytes.length})`,
  );
  console.log("the downloaded file after 60 removals is, byte by byte, what Node writes");
}

/** The local server's page: the model is open already, and computes in Node. */
async function byTheServer() {
  const { origin } = new URL(local.url);
  const { page: tab, errors } = await watched(browser, origin, {
    viewport: { width: 390, height: 844 },
    colorScheme: "dark",
  });
  const started = performance.now();
  await tab.goto(local.url);
  // by the page's own clock: this process is the server too
  const usable = await tab.evaluate(() => performance.getEntriesByName("usable")[0]?.startTime ?? 0);
  check(usable > 0 && usable <= 1500, `from the local server the page is there after ${Math.round(usable)} ms`);
  await tab.waitForSelector("text=onnxruntime-node", { timeout: 10_000 });
  const ready = performance.now() - started;
  await tab.click("role=tab[name=Shrink]");
  await choose(tab, "accuracy", "1");
  await tab.click("button.main:has-text('Shrink')");
  await tab.waitForSelector("text=Download this model", { timeout: 60_000 });
  await looks(tab, "shrink-dark");
  await tab.click("role=tab[name=Units]");
  await tab.click("#unit-5");
  await tab.waitForSelector("text=costs to remove, measured");
  await looks(tab, "units-dark");
  await tab.click("role=tab[name=Play]");
  await tab.waitForSelector("text=get another answer");
  await looks(tab, "play-dark");
  await tab.click("role=tab[name=Map]");
  await looks(tab, "map-dark");
  finish(
    errors,
    `from the local server: usable after ${Math.round(usable)} ms, model and data open after ${Math.round(ready)} ms`,
  );
  await tab.close();
  const { port } = new URL(local.url);
  const refused = await fetch(`http://127.0.0.1:${port}/socket?token=wrong`).then(({ status }) => status);
  check(refused === 404, "without the token nothing answers");
}

/** A convolutional network, a damaged file, and one that is none. */
async function otherFiles() {
  const { page: tab, errors } = await watched(browser, site.origin, { viewport: { width: 1280, height: 900 } });
  await tab.goto(`${site.origin}/index.html`);
  const whole = readFileSync(join(examples, "digits.onnx"));
  writeFileSync(join(shots, "damaged.onnx"), whole.subarray(0, 5000));
  await tab.setInputFiles("header input[type=file]", join(shots, "damaged.onnx"));
  await tab.waitForSelector("[role=alert]");
  const said = await tab.textContent("[role=alert]");
  check(/damaged\.onnx|model|file/.test(said) && !said.includes("undefined"), `a damaged file: ${said}`);
  rmSync(join(shots, "damaged.onnx"));
  await tab.click("text=Digits, convolutional");
  await tab.waitForSelector("text=removable units");
  await tab.click("role=tab[name=Shrink]");
  await choose(tab, "macs", "60");
  await tab.check("input[type=checkbox]");
  await tab.selectOption("select >> nth=0", "obs");
  await tab.click("button.main:has-text('Shrink')");
  await tab.waitForSelector("text=Download this model", { timeout: 120_000 });
  await tab.click("text=Time it here");
  await tab.waitForSelector("text=/ms a sample here/", { timeout: 60_000 });
  await looks(tab, "conv");
  await choose(tab, "latency", "85");
  await tab.click("button.main:has-text('Shrink')");
  await tab.waitForSelector("tr:has-text('run 2'):has-text('Look at')", { timeout: 120_000 });
  const reached = await tab.textContent("tr:has-text('run 2')");
  check(/time|latency|target/i.test(reached), `a goal of latency in this browser: ${reached}`);
  writeFileSync(join(shots, "wide.onnx"), wideModel());
  const started = performance.now();
  await tab.setInputFiles("header input[type=file]", join(shots, "wide.onnx"));
  await tab.waitForSelector("strong:has-text('wide.onnx')");
  const opening = performance.now() - started;
  rmSync(join(shots, "wide.onnx"));
  check(opening < 1000, `10 MB are opened in ${Math.round(opening)} ms`);
  finish(
    errors,
    `a damaged file is refused ("${said.trim()}"); the convolutional network shrinks with repair and by latency; 10 MB are opened in ${Math.round(opening)} ms`,
  );
  await tab.close();
}

/** A dense network of 10 MB. */
function wideModel() {
  const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
  b.input("x", "float32", ["N", 1000]);
  const weights = (rows, columns) => b.tensor(float32(new Float32Array(rows * columns).fill(0.01), [rows, columns]));
  const h = b.op("Relu", [b.op("MatMul", ["x", weights(1000, 1000)])]);
  const g = b.op("Relu", [b.op("MatMul", [h, weights(1000, 1500)])]);
  b.op("MatMul", [g, weights(1500, 10)], {}, "y");
  const graph = b.graph([{ name: "y", type: "float32", shape: ["N", 10] }]);
  return writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() });
}

/** All eight steps. */
async function lesson() {
  const { page: tab, errors } = await watched(browser, site.origin, { viewport: { width: 1280, height: 900 } });
  await tab.goto(`${site.origin}/index.html`);
  await tab.click("text=The lesson");
  await tab.click("text=Open the digits network");
  for (let step = 1; step <= 8; step++) {
    await tab.waitForSelector(`h2:has-text("${step}. ")`);
    await tab.waitForFunction(
      () => !/Measuring all|Measuring pairs|Shrinking…/.test(document.querySelector("main").textContent),
      undefined,
      { timeout: 120_000 },
    );
    if (step === 5)
      await tab.waitForFunction(
        () =>
          document.querySelectorAll("p.soft").length >= 4 &&
          (document.querySelector("main").textContent.match(/networks? measured/g) ?? []).length === 3,
        undefined,
        { timeout: 120_000 },
      );
    if (step === 7)
      await tab.waitForFunction(
        () => (document.querySelector("main").textContent.match(/networks? measured/g) ?? []).length === 2,
        undefined,
        { timeout: 120_000 },
      );
    await tab.waitForTimeout(400); // the last chart
    await looks(tab, `lesson-${step}`, step === 1 || step === 5 ? [1280, 390] : [1280]);
    if (step < 8) await tab.click("button:has-text('Next')");
  }
  finish(errors, "the lesson's eight steps");
  await tab.close();
}

/** Chooses a goal and its value. */
async function choose(tab, goal, value) {
  await tab.selectOption("select >> nth=1", goal);
  await tab.fill("input[type=number]", value);
}

/** A screenshot at each width; nothing is wider than the page, and axe finds nothing serious. */
async function looks(tab, name, widths = [1280, 390]) {
  const before = tab.viewportSize();
  for (const width of widths) {
    await tab.setViewportSize({ width, height: before.height });
    await tab.waitForTimeout(350); // charts follow the width
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${name} at ${width}: ${wide} pixels too wide`);
    await tab.screenshot({ path: join(shots, `${name}-${width}.png`), fullPage: true });
  }
  await tab.setViewportSize(before);
  await tab.evaluate(axe);
  const found = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  check(
    serious.length === 0,
    `${name}: axe finds ${serious.map(({ id, nodes }) => `${id} (${nodes[0]?.html})`).join("; ")}`,
  );
}

function check(holds, what) {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

function finish(errors, what) {
  if (errors.length > 0) throw new Error(errors.join("; "));
  console.log(what);
}
