import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Io, processIo } from "../src/io.ts";
import { withProgress } from "../src/progress/progress.ts";

function capture(terminal?: NodeJS.WriteStream): { io: Io; text: () => string } {
  let text = "";
  const stderr = {
    write(more: string) {
      text += more;
    },
  };
  return { io: { ...processIo(), stderr, terminal }, text: () => text };
}

describe("without a terminal", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("a line for every tenth, at most every 10 seconds", async () => {
    vi.useFakeTimers();
    const { io, text } = capture();
    await withProgress(io, { title: "Pruning" }, async (tell) => {
      for (let step = 1; step <= 100; step++) {
        vi.advanceTimersByTime(500);
        tell(`${step} of 100`, step / 100);
      }
      tell("stopping");
    });
    expect(text()).toBe(
      "Pruning: 20 of 100\nPruning: 40 of 100\nPruning: 60 of 100\nPruning: 80 of 100\nPruning: 100 of 100\nPruning: stopping\n",
    );
  });

  test("nothing with --quiet", async () => {
    const { io, text } = capture();
    await withProgress(io, { title: "Pruning", quiet: true }, async (tell) => tell("stopping"));
    expect(text()).toBe("");
  });
});

describe("on a terminal", () => {
  const terminal = () => Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });

  test("one line is redrawn", async () => {
    const stream = terminal();
    const { io } = capture(stream as unknown as NodeJS.WriteStream);
    const value = await withProgress(io, { title: "Pruning" }, async (tell) => {
      tell("3 of 10", 0.3);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return 7;
    });
    expect(value).toBe(7);
    expect(stripVTControlCharacters(String(stream.read()))).toContain("Pruning: 3 of 10\n");
  });

  test("errors come through, and are not drawn", async () => {
    const stream = terminal();
    const { io } = capture(stream as unknown as NodeJS.WriteStream);
    const failing = withProgress(io, { title: "Pruning" }, async () => {
      throw new RangeError("too bad");
    });
    await expect(failing).rejects.toThrow(new RangeError("too bad"));
    expect(String(stream.read())).not.toContain("too bad");
  });
});
