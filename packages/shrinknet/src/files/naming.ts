import { ShrinkError } from "@shrinknet/core";

/**
 * Runs work whose errors say "model" or "plan" where the user has a file name, and gives them that name.
 */
export async function naming<T>(files: { model: string; plan?: string }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ShrinkError)) throw error;
    const { code, message } = error;
    const file = code === "plan" ? files.plan : code === "model" || code === "operator" ? files.model : undefined;
    if (file === undefined) throw error;
    throw new ShrinkError(code, `${file}: ${message.replace(/^(model|plan): /, "")}`, { cause: error });
  }
}
