/** The local server: this machine alone, and only those who know the token. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { serveStudio } from "../src/server/index.ts";

const page = mkdtempSync(join(tmpdir(), "shrinknet-studio-test-"));
writeFileSync(join(page, "index.html"), "<p>the page</p>");
afterAll(() => rmSync(page, { recursive: true }));

const opens = (url: string, headers: Record<string, string> = {}): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    socket.on("open", () => {
      socket.close();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });

test("serves the page isolated, and a socket to who has the token", async () => {
  const studio = await serveStudio({ page });
  const { host, hostname, searchParams } = new URL(studio.url);
  expect(hostname).toBe("127.0.0.1");
  const response = await fetch(studio.url);
  expect(await response.text()).toBe("<p>the page</p>");
  expect(response.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  expect(response.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
  expect((await fetch(`http://${host}/../package.json`)).status).toBe(404);
  const token = searchParams.get("server");
  expect(await opens(`ws://${host}/socket?token=${token}`)).toBe(true);
  expect(await opens(`ws://${host}/socket?token=other`)).toBe(false);
  expect(await opens(`ws://${host}/elsewhere?token=${token}`)).toBe(false);
  // a name that leads here by a trick of the name service
  expect(await opens(`ws://${host}/socket?token=${token}`, { host: "evil.example" })).toBe(false);
  await studio.close();
  await expect(fetch(studio.url)).rejects.toThrow();
});

test("a port that is taken is an error", async () => {
  const studio = await serveStudio({ page });
  const port = Number(new URL(studio.url).port);
  await expect(serveStudio({ page, port })).rejects.toThrow("EADDRINUSE");
  await studio.close();
});
