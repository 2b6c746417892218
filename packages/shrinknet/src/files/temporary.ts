/** Temporary files beside their targets: gone when the process ends in whatever way it can notice, and else after the next run. */
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

/** Of this process, while they are there. */
const open = new Set<string>();

/** Ways to be asked to end, with their numbers. Long runs hear Ctrl-C themselves. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
const listeners = Object.entries(SIGNALS).map(([signal, number]) => {
  const end = (): void => {
    removeTemporaries();
    if (process.listenerCount(signal) === 1) process.exit(128 + number);
  };
  return [signal, end] as const;
});

/** Listens while files are open, and no longer: work that keeps the process busy is ended by the system. */
function watch(isOpen: boolean): void {
  for (const [signal, end] of listeners) {
    process.off(signal, end);
    if (isOpen) process.on(signal, end);
  }
  process.off("exit", removeTemporaries);
  if (isOpen) process.on("exit", removeTemporaries);
}

const host = hostname().replace(/[^\w]/g, "").slice(0, 32);
const pattern = /^\.shrinknet-(\w*)-(\d+)-[0-9a-f]{12}\.tmp$/;

/** A new name beside `target`; what a run that was killed has left there is removed. */
export function temporaryBeside(target: string): string {
  removeLeftBehind(dirname(target));
  const path = join(dirname(target), `.shrinknet-${host}-${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  open.add(path);
  watch(true);
  return path;
}

/** Removes what is left of a temporary file that was renamed or failed. */
export function closeTemporary(path: string): void {
  open.delete(path);
  remove(path);
  if (open.size === 0) watch(false);
}

function removeTemporaries(): void {
  for (const path of open) remove(path);
  open.clear();
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // its folder is gone, or never was one
  }
}

function removeLeftBehind(folder: string): void {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    return; // writing will say why
  }
  for (const name of names) {
    const [, ofHost, pid] = pattern.exec(basename(name)) ?? [];
    if (ofHost !== host || isAlive(Number(pid))) continue;
    remove(join(folder, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
