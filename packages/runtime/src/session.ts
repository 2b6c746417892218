/** A session of onnxruntime as the project sees it, the same for Node and the browser. */
import { type Session, ShrinkError } from "@shrinknet/core";
import type * as ort from "onnxruntime-common";
import { failureOf, notNumeric, numericOutputs, tensorFrom } from "./results.ts";

/** What both packages of onnxruntime have. */
export type Ort = Pick<typeof ort, "InferenceSession" | "Tensor">;

/** Loads a model. Throws a `model` error with the runtime's message. */
export async function sessionOf(
  { InferenceSession, Tensor }: Ort,
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<Session & { readonly raw: ort.InferenceSession }> {
  const session = await created(InferenceSession, model, { logSeverityLevel: 4, ...options });
  const { outputNames, outputMetadata } = session;
  const outputs = numericOutputs(outputMetadata);
  return {
    raw: session,
    outputs,
    async run(feeds, fetches = outputNames.filter((name) => outputs.has(name))) {
      const refused = fetches.find((name) => !outputs.has(name));
      if (refused !== undefined) throw notNumeric(refused, outputMetadata);
      if (fetches.length === 0) return {};
      const given: Record<string, ort.Tensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) {
        given[name] = new Tensor(tensor.type as "float32", tensor.data as Float32Array, tensor.dims);
      }
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        // a list of fetches is looked up name by name, which takes seconds for thousands of outputs
        const isAll = fetches.length === outputNames.length;
        results = await (isAll ? session.run(given) : session.run(given, fetches as string[]));
      } catch (cause) {
        throw new ShrinkError("model", failureOf(reason(cause)), { cause });
      }
      return Object.fromEntries(fetches.map((name) => [name, tensorFrom(name, results[name])]));
    },
    async release() {
      await session.release();
    },
  };
}

async function created(
  { create }: Ort["InferenceSession"],
  model: Uint8Array,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  try {
    return await create(model, options);
  } catch (cause) {
    throw new ShrinkError("model", `onnxruntime cannot load the model: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
