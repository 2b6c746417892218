/** The runtime's channel block, measured once for each runtime, processor and number of threads, and kept in the cache folder. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { join } from "node:path";
import { measureBlock, type Runner } from "@shrinknet/core";
import { z } from "zod";

const cacheSchema = z.record(z.string(), z.number().int().min(1).max(1024));

/** Milliseconds. */
const clock = (): number => performance.now();

/** The block of a runner; a cache that cannot be read or written is passed over. */
export async function channelBlockOf(runner: Runner): Promise<number> {
  const file = join(cacheFolder(), "blocks.json");
  const key = `${runner.name}, ${cpus()[0]?.model ?? "unknown processor"}`;
  const known = await readCache(file);
  const found = known[key];
  if (found !== undefined) return found;
  const block = await measureBlock(runner, clock);
  try {
    await mkdir(cacheFolder(), { recursive: true });
    await writeFile(file, `${JSON.stringify({ ...known, [key]: block }, null, 2)}\n`);
  } catch {
    // it will be measured again
  }
  return block;
}

async function readCache(file: string): Promise<Record<string, number>> {
  try {
    return cacheSchema.parse(JSON.parse(await readFile(file, "utf8")));
  } catch {
    return {};
  }
}

/** Where the platform keeps what can be made again. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "shrinknet");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "shrinknet");
  if (platform === "win32") return join(env.LOCALAPPDATA ?? homedir(), "shrinknet", "cache");
  return join(homedir(), ".cache", "shrinknet");
}
