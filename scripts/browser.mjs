// What the checks in a browser share: a server of a folder on this machine only, and Debian's chromium.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = {
  ...{
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
  },
  ".wasm": "application/wasm",
};

/** Serves a folder, isolated so that threads may share memory. */
export async function serve(folder) {
  const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const server = createServer((request, response) => {
    const path = join(folder, normalize(decodeURIComponent(new URL(request.url, "http://site").pathname)));
    if (!existsSync(path)) return response.writeHead(404).end();
    const type = types[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { ...isolated, "content-type": type }).end(readFileSync(path));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** The browser; ends the check where there is none: as a failure with SHRINKNET_CI=1. */
export async function launch({ gpu = false } = {}) {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
  if (!executablePath) {
    console.log("not looked at in a browser: there is no chromium (apt-get install chromium)");
    process.exit(process.env.SHRINKNET_CI ? 1 : 0);
  }
  const { chromium } = await import("playwright-core");
  const device = gpu
    ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
    : ["--disable-gpu"];
  const quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"];
  const args = ["--no-sandbox", ...device, ...quiet];
  return chromium.launch({ executablePath, args });
}

/** A page whose errors, and requests to anywhere else, are noted. */
export async function watched(browser, origin, options) {
  const page = await browser.newPage(options);
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (![origin, "data:", "blob:"].some((start) => url.startsWith(start))) errors.push(`asks for ${url}`);
  });
  return { page, errors };
}
