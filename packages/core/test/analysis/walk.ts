/** The blocks of `docs/pruning-from-scratch.md`: its TypeScript, run as one program, and what it prints block by block. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
export const walkPath: string = join(root, "docs/pruning-from-scratch.md");

/** What ends the output of a block. */
const END = "--- end of block ---";

export interface Block {
  readonly code: string;
  /** The text block below it, as it stands in the document. */
  readonly output: string;
}

const pattern = /```ts\n(.*?)```\n\n```text\n(.*?)```/gs;

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(pattern)].map(([, code = "", output = ""]) => ({ code, output }));
}

export async function readWalk(): Promise<string> {
  return readFile(walkPath, "utf8");
}

/** Runs the blocks one after another in one program; what each printed. */
export async function runBlocks(blocks: readonly Block[]): Promise<string[]> {
  const folder = join(root, ".shrinknet", `walk-${process.pid}`); // inside the repository, so that packages are found
  await mkdir(folder, { recursive: true });
  const file = join(folder, "walk.ts");
  try {
    await writeFile(file, `${blocks.map(({ code }) => `${code}console.log("${END}");\n`).join("")}export {};\n`);
    const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=source", "--import", "tsx", file], {
      cwd: root,
    });
    return stdout.split(`${END}\n`).slice(0, -1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The document with what the blocks printed put in place of what stands there. */
export function withOutputs(markdown: string, outputs: readonly string[]): string {
  let at = 0;
  return markdown.replace(
    pattern,
    (_, code: string) => `\`\`\`ts\n${code}\`\`\`\n\n\`\`\`text\n${outputs[at++] ?? ""}\`\`\``,
  );
}
