/** The backend of `shrinknet studio`: onnxruntime in Node on this machine, behind a WebSocket of the page's own origin. */
import { createBirpc } from "birpc";
import type { Backend, Watching } from "./backend.ts";
import { backendOf, type Functions } from "./functions.ts";
import { fromBytes, toBytes } from "./wire.ts";

/** Connects; `token` is what the server put into the page's address. */
export async function serverBackend(watching: Watching, token: string): Promise<Backend> {
  const address = new URL(`socket?token=${encodeURIComponent(token)}`, document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => reject(new Error("the local server does not answer; start shrinknet studio again"));
  });
  const functions = createBirpc<Functions, Watching>(watching, {
    post: (message) => socket.send(message),
    on: (listen) => socket.addEventListener("message", ({ data }) => listen(data)),
    serialize: toBytes,
    deserialize: fromBytes,
    timeout: -1,
  });
  socket.addEventListener("close", () =>
    functions.$close(new Error("the local server has gone; start shrinknet studio again")),
  );
  return backendOf(functions as unknown as Functions, "Node on this machine");
}
