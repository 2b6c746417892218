/** The backend that needs no server: a worker of this page. */
import { createBirpc } from "birpc";
import type { Backend, Watching } from "./backend.ts";
import { backendOf, type Functions } from "./functions.ts";

/** Starts the worker. */
export function pageBackend(watching: Watching): Promise<Backend> {
  const worker = new Worker(new URL("../worker.ts", import.meta.url), { type: "module", name: "shrinknet" });
  const functions = createBirpc<Functions, Watching>(watching, {
    post: (message) => worker.postMessage(message),
    on: (listen) => worker.addEventListener("message", ({ data }) => listen(data)),
    timeout: -1,
  });
  return backendOf(functions as unknown as Functions, "this page");
}
