/** Whether outputs can be written is found out before hours of work, not after. */
import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { ShrinkError } from "@shrinknet/core";

/** Paths by option (`--out`) or argument name (`the model`); undefined: not given. */
export type Paths = Readonly<Record<string, string | undefined>>;

/**
 * Throws a `file` error for an output that cannot be written, and an `option` error for one that is an input or
 * another output: nothing is ever changed in place.
 */
export async function checkOutputs(outputs: Paths, inputs: Paths): Promise<void> {
  const taken = new Map<string, string>();
  for (const [name, path] of given(inputs)) {
    for (const part of [path, ...path.split(",")]) taken.set(await realPath(part), name); // IMAGES,LABELS are two
  }
  for (const [option, path] of given(outputs)) {
    const real = await realPath(path);
    const other = taken.get(real);
    if (other) throw new ShrinkError("option", `${option} ${path}: is the same file as ${other}; give it another name`);
    taken.set(real, option);
    await checkWritable(real, `${option} ${path}`);
  }
}

/** Throws an `option` error for an output that holds weights of the model. */
export async function checkKeepsWeights(outputs: Paths, dataFiles: readonly string[]): Promise<void> {
  const taken = new Set(await Promise.all(dataFiles.map(realPath)));
  for (const [option, path] of given(outputs)) {
    if (!taken.has(await realPath(path))) continue;
    throw new ShrinkError("option", `${option} ${path}: holds weights of the model; give it another name`);
  }
}

function given(paths: Paths): [name: string, path: string][] {
  return Object.entries(paths).filter((entry): entry is [string, string] => entry[1] !== undefined);
}

/** With links followed, also where the file itself does not exist yet. */
async function realPath(path: string): Promise<string> {
  const full = resolve(path);
  return await realpath(full).catch(() => full);
}

/** Bytes that file systems take for a name. */
const LONGEST_NAME = 255;

async function checkWritable(path: string, subject: string): Promise<void> {
  const bytes = Buffer.byteLength(basename(path));
  if (bytes > LONGEST_NAME) fail(subject, `its name has ${bytes} bytes, expected at most ${LONGEST_NAME}`);
  const folder = dirname(path);
  const parent = await stat(folder).catch(() => undefined);
  if (!parent?.isDirectory()) fail(subject, `there is no folder ${folder}; create it first`);
  const target = await stat(path).catch(() => undefined);
  if (target?.isDirectory()) fail(subject, "is a folder, expected the name of a file");
  if (target && !target.isFile()) fail(subject, "is no ordinary file, expected the name of a file");
  if (target && !(await allows(path, constants.W_OK))) fail(subject, "is write-protected; give another name");
  if (!(await allows(folder, constants.W_OK | constants.X_OK)))
    fail(subject, `the folder ${folder} may not be written to`);
}

async function allows(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}

function fail(subject: string, problem: string): never {
  throw new ShrinkError("file", `${subject}: ${problem}`);
}
