/** Criteria and objectives by name, or of a user's own by the path of a module: `./mine.ts`. */

import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { type Criterion, criteria, type Objective, objectives, ShrinkError } from "@shrinknet/core";

/** Whether a name is the path of a module: it has a suffix of one. */
export const isModule = (name: string): boolean => /\.[cm]?[jt]s$/.test(name);

/** Refuses what is neither a criterion's name nor a module. */
export function parseCriterion(text: string): string {
  return parseNameOrModule(text, Object.keys(criteria));
}

/** Several of them with commas between, without repeats. */
export function parseCriteria(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !isModule(name) && !Object.hasOwn(criteria, name));
  if (unknown === undefined) return [...new Set(names)];
  throw new InvalidArgumentError(
    `"${unknown}" is unknown, expected names of ${Object.keys(criteria).join(", ")}, or modules such as ./mine.ts.`,
  );
}

export function parseNameOrModule(text: string, names: readonly string[]): string {
  if (isModule(text) || names.includes(text)) return text;
  throw new InvalidArgumentError(`expected one of ${names.join(", ")}, or a module such as ./mine.ts.`);
}

/** The criterion that a module exports as default or as `criterion`; names stay as they are. Throws an `option` error for other modules. */
export async function criterionFrom(name: string): Promise<string | Criterion> {
  if (!isModule(name)) return name;
  const found = await exported(name, "criterion");
  const { name: own, score } = (found ?? {}) as Partial<Criterion>;
  if (typeof own !== "string" || typeof score !== "function") {
    throw new ShrinkError(
      "option",
      `--criterion ${name}: exports no criterion, expected { name, inErrorUnits, needsData, score } as default`,
    );
  }
  return found as Criterion;
}

/** Names of objectives with those of modules in their place. */
export async function objectivesFrom(
  named: string | Readonly<Record<string, string>> | undefined,
): Promise<string | Objective | Readonly<Record<string, string | Objective>> | undefined> {
  if (named === undefined) return undefined;
  if (typeof named === "string") return await objectiveFrom(named);
  const all = Object.entries(named).map(async ([output, name]) => [output, await objectiveFrom(name)] as const);
  return Object.fromEntries(await Promise.all(all));
}

async function objectiveFrom(name: string): Promise<string | Objective> {
  if (Object.hasOwn(objectives, name) || !isModule(name)) return name;
  const found = await exported(name, "objective");
  const { name: own, bind } = (found ?? {}) as Partial<Objective>;
  if (typeof own !== "string" || typeof bind !== "function") {
    throw new ShrinkError(
      "option",
      `--objective ${name}: exports no objective, expected { name, suits, bind } as default`,
    );
  }
  return found as Objective;
}

/** What a module exports as default, or under a name. TypeScript is read without its types. */
async function exported(path: string, name: string): Promise<unknown> {
  const { createJiti } = await import("jiti");
  try {
    const jiti = createJiti(import.meta.url, { alias: doors() });
    const module = await jiti.import<Record<string, unknown>>(pathToFileURL(resolve(path)).href);
    return module[name] ?? module.default;
  } catch (cause) {
    const { message } = cause as Error;
    throw new ShrinkError(
      "option",
      `${path}: cannot be loaded as a module (${message.split("\n")[0]}); check the path and the file`,
      { cause },
    );
  }
}

/** What a module imports as `shrinknet` is this one, wherever the module lies. */
function doors(): Record<string, string> {
  const suffix = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const at = (name: string): string => fileURLToPath(new URL(`../${name}${suffix}`, import.meta.url));
  const parts = ["graph", "measure", "extend"].map((name) => [`shrinknet/${name}`, at(name)]);
  return { ...Object.fromEntries(parts), shrinknet: at("index") };
}
