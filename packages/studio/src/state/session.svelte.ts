/** What is open: the backend, the model, its data, and what went wrong last. */
import type { Backend, Estimates, NamedBytes, OpenedData, OpenedModel } from "../backend/backend.ts";
import { runs, stepped } from "./runs.svelte.ts";

interface Session {
  backend: Backend | undefined;
  model: OpenedModel | undefined;
  data: OpenedData | undefined;
  estimates: Readonly<Record<string, Estimates>> | undefined;
  /** What is being done, in words; empty when nothing is. */
  doing: string;
  /** One sentence. */
  problem: string;
}

export const session: Session = $state({
  backend: undefined,
  model: undefined,
  data: undefined,
  estimates: undefined,
  doing: "",
  problem: "",
});

let starting: Promise<Backend> | undefined;

/** The backend: the local server where the page came from one, else a worker of this page. Started when first needed. */
export function backend(): Promise<Backend> {
  starting ??= start();
  return starting;
}

async function start(): Promise<Backend> {
  const watching = { step: stepped };
  const token = new URLSearchParams(location.search).get("server");
  const { serverBackend } = token ? await import("../backend/server.ts") : { serverBackend: undefined };
  const made =
    serverBackend && token
      ? await serverBackend(watching, token)
      : await (await import("../backend/page.ts")).pageBackend(watching);
  session.backend = made;
  const given = await made.given?.();
  if (given?.model) session.model = given.model;
  if (given?.data) session.data = given.data;
  return made;
}

/** Does something that may fail, and keeps its sentence. Undefined where it failed. */
export async function attempt<Result>(doing: string, work: () => Promise<Result>): Promise<Result | undefined> {
  session.doing = doing;
  session.problem = "";
  try {
    return await work();
  } catch (error) {
    session.problem = error instanceof Error ? error.message : String(error);
    return undefined;
  } finally {
    session.doing = "";
  }
}

/** Opens what was dropped: a model, data, or both. */
export async function open(files: readonly NamedBytes[]): Promise<void> {
  const [model] = files.filter(({ name }) => /\.onnx$/i.test(name));
  const data = files.filter((file) => file !== model);
  await attempt("opening", async () => {
    const work = await backend();
    if (model) {
      const opened = await work.openModel(model);
      runs.list = [];
      session.data = undefined;
      session.estimates = undefined;
      session.model = opened;
    } else if (!session.model)
      throw new Error(`${files[0]?.name ?? "the file"}: expected an ONNX file first, its samples after it`);
    if (data.length > 0) {
      session.data = await work.openData(data);
      session.estimates = undefined;
      runs.list = [];
    }
  });
}

/** What ships with the page. */
export const EXAMPLES = [
  { id: "digits", title: "Digits, dense", text: "400-100-10, 1,000 handwritten digits" },
  { id: "digits-conv", title: "Digits, convolutional", text: "two convolutions and a dense layer" },
] as const;

export async function openExample(id: string): Promise<void> {
  const files = await attempt("loading the example", () =>
    Promise.all(
      [`${id}.onnx`, `${id}.npz`].map(async (name) => {
        const response = await fetch(new URL(`examples/${name}`, document.baseURI));
        if (!response.ok) throw new Error(`${name}: is not beside this page (${response.status})`);
        return { name, bytes: new Uint8Array(await response.arrayBuffer()) };
      }),
    ),
  );
  if (files) await open(files);
}

/** Costs of all units, measured once. */
export async function needEstimates(): Promise<void> {
  if (session.estimates || !session.data) return;
  const found = await attempt("measuring every unit", async () => (await backend()).estimates());
  if (found) session.estimates = found;
}
