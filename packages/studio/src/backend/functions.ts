/** A backend as functions by name: what travels between the page and a worker or a server. */
import type { Backend } from "./backend.ts";

const METHODS = [
  ...["openModel", "openData", "layerTimes", "estimates", "unit", "sample", "shrink", "allow", "stop", "at"],
  ...["latency", "answers", "classify", "curves", "scatter", "files"],
] as readonly Method[];

type Method = Exclude<keyof Backend, "name" | "given">;
type AnyFunction = (...given: never[]) => Promise<unknown>;

export type Functions = Pick<Backend, Method> & Required<Pick<Backend, "given">> & { nameOf(): string };

/** The functions of a backend. */
export function functionsOf(backend: Backend): Functions {
  const own = METHODS.map((name) => [name, (...given: never[]) => (backend[name] as AnyFunction)(...given)]);
  return { ...Object.fromEntries(own), nameOf: () => backend.name, given: async () => ({}) };
}

/** The backend behind functions that run elsewhere; `place` begins its name. */
export async function backendOf(functions: Functions, place: string): Promise<Backend> {
  const name = `${place}, ${await functions.nameOf()}`;
  const own = METHODS.map((method) => [method, (...given: never[]) => (functions[method] as AnyFunction)(...given)]);
  return { ...Object.fromEntries(own), name, given: () => functions.given() };
}
