/**
 * The studio on this machine: the page's files, and an engine over onnxruntime-node behind a WebSocket. Listens on 127.0.0.1 alone,
 * and answers only those who know the token of the address that it gives.
 *
 * @module @shrinknet/studio
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Dataset, ShrinkError } from "@shrinknet/core";
import { nodeRunner } from "@shrinknet/runtime/node";
import { createBirpc } from "birpc";
import sirv from "sirv";
import { type WebSocket, WebSocketServer } from "ws";
import type { Watching } from "../backend/backend.ts";
import { type Functions, functionsOf } from "../backend/functions.ts";
import { fromBytes, toBytes } from "../backend/wire.ts";
import { Engine } from "../engine/engine.ts";

export interface StudioOptions {
  /** Opened when the page is; default: the page asks for one. */
  readonly model?: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  readonly data?: Dataset | undefined;
  /** Default: a free one. */
  readonly port?: number | undefined;
  /** Folder of the built page; default: the one of this package. */
  readonly page?: string;
}

export interface Studio {
  /** Address of the page, token included. Without `?server=` the page works by itself, in the browser. */
  readonly url: string;
  close(): Promise<void>;
}

/** Largest message, a model file: 1 GiB. */
const MOST_BYTES = 2 ** 30;

/** Starts the server. Throws an `option` error where the page has not been built. */
export async function serveStudio({ model, data, port = 0, page = builtPage() }: StudioOptions = {}): Promise<Studio> {
  const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const setHeaders = (response: { setHeader(name: string, value: string): void }): void => {
    for (const [name, value] of Object.entries({ ...isolated, "x-content-type-options": "nosniff" })) {
      response.setHeader(name, value);
    }
  };
  const files = sirv(page, { setHeaders, etag: true });
  const token = randomBytes(16).toString("hex");
  const server = createServer((request, response) => {
    files(request, response, () => void response.writeHead(404).end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: own } = server.address() as AddressInfo;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_BYTES });
  server.on("upgrade", (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://studio");
    const isOurs = request.headers.host === `127.0.0.1:${own}` && searchParams.get("token") === token;
    if (pathname !== "/socket" || !isOurs) return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (connected) => answer(connected, { model, data }));
  });
  return {
    url: `http://127.0.0.1:${own}/?server=${token}`,
    async close() {
      for (const one of sockets.clients) one.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Gives a page an engine of its own. */
function answer(socket: WebSocket, { model, data }: Pick<StudioOptions, "model" | "data">): void {
  const threads = Math.min(4, availableParallelism());
  const watching: Watching = { step: (step) => void page.step.asEvent(step) };
  const engine = new Engine({ runner: nodeRunner({ threads }), threads, clock: () => performance.now(), watching });
  const given: Functions["given"] = async () => {
    if (!model) return {};
    const opened = await engine.openModel(model);
    return { model: opened, ...(data && { data: await engine.openDataset(data) }) };
  };
  const page = createBirpc<Watching, Functions>(
    { ...functionsOf(engine), given },
    {
      post: (message) => socket.send(message),
      on: (listen) => socket.on("message", listen),
      serialize: toBytes,
      deserialize: fromBytes,
      bind: "functions",
      timeout: -1,
    },
  );
  socket.on("close", () => engine.close());
}

/** Beside this file in dist; beside src while developing. */
function builtPage(): string {
  const found = ["../page/", "../../dist/page/"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(`${path}index.html`));
  if (found) return found;
  throw new ShrinkError(
    "option",
    "studio: the page is not built, expected packages/studio/dist/page; run npm run build first",
  );
}
