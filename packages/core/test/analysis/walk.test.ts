/** docs/pruning-from-scratch.md runs and prints what it says. UPDATE_DOCS=1 writes what it printed into it. */
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { blocksOf, readWalk, runBlocks, walkPath, withOutputs } from "./walk.ts";

/** Training differs in the last bits from processor to processor. */
const TOLERANCE = 0.1;

test("every block of pruning from scratch prints what stands below it", async () => {
  const markdown = await readWalk();
  const blocks = blocksOf(markdown);
  expect(blocks).toHaveLength(markdown.match(/^```ts$/gm)?.length ?? 0);
  const outputs = await runBlocks(blocks);
  if (process.env.UPDATE_DOCS) await writeFile(walkPath, withOutputs(markdown, outputs));
  else {
    const number = /-?\d+(\.\d+)?/g;
    const wordsOf = (text: string): string => text.replace(number, "#");
    const numbersOf = (text: string): number[] => text.match(number)?.map(Number) ?? [];
    blocks.forEach(({ output }, i) => {
      expect(wordsOf(outputs[i] ?? "")).toBe(wordsOf(output));
      const printed = numbersOf(outputs[i] ?? "");
      numbersOf(output).forEach((said, at) => {
        expect(Math.abs((printed[at] as number) - said), outputs[i]).toBeLessThanOrEqual(
          2e-4 + Math.abs(said) * TOLERANCE,
        );
      });
    });
  }
});
