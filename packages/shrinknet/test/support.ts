/** A folder with a small model and data, and the command run in this process. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { int64, type Model, type Tensor, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { nodeRunner } from "@shrinknet/runtime/node";
import { expect } from "vitest";
import { model, node, random } from "../../core/test/support/build.ts";
import { type Io, run } from "../src/cli.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** x[N, widths[0]] through dense layers `fc1`, `fc2`, ... with tanh between, random weights. */
export function denseModel(widths: readonly number[], seed = 1): Model {
  const { tensor } = random(seed);
  const initializers: Record<string, Tensor> = {};
  const layers = widths.slice(1).flatMap((width, at) => {
    const [name, from] = [`fc${at + 1}`, widths[at] as number];
    initializers[`${name}.weight`] = tensor([from, width], from ** -0.5 * 2);
    initializers[`${name}.bias`] = tensor([width], 0.1);
    const last = at === widths.length - 2;
    const inputs = [at === 0 ? "x" : `a${at}`, `${name}.weight`, `${name}.bias`];
    const layer = node("Gemm", inputs, [last ? "y" : `h${at + 1}`], {}, { name });
    return last ? [layer] : [layer, node("Tanh", [`h${at + 1}`], [`a${at + 1}`])];
  });
  const outputs = { y: ["N", widths.at(-1) as number] };
  return model({ inputs: { x: ["N", widths[0] as number] }, outputs, initializers, nodes: layers });
}

/** Random samples with the classes that the model itself gives them, every eighth one wrong. */
export async function samplesFor(built: Model, count: number, seed = 2): Promise<Record<string, Tensor>> {
  const width = built.graph.inputs[0]?.shape?.[1] as number;
  const x = random(seed).tensor([count, width]);
  const session = await nodeRunner().load(writeModel(built));
  const { y } = await session.run({ x });
  await session.release();
  const numbers = Array.from((y as Tensor).numbers);
  const classes = numbers.length / count;
  const labels = Array.from({ length: count }, (_, i) => {
    const row = numbers.slice(i * classes, (i + 1) * classes);
    return (row.indexOf(Math.max(...row)) + (i % 8 === 0 ? 1 : 0)) % classes;
  });
  return { x, y: int64(labels) };
}

/** A folder of its own; commands are told paths inside it. */
export class Workplace {
  readonly folder: string = mkdtempSync(join(tmpdir(), "shrinknet-cli-"));

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  text(name: string): string {
    return this.read(name).toString("utf8");
  }

  /** Writes `digits.onnx`, `calib.npz` and `test.npz`. */
  async fill(): Promise<void> {
    const built = denseModel([8, 6, 5, 3]);
    this.write("digits.onnx", writeModel(built));
    this.write("calib.npz", writeNpz(await samplesFor(built, 64, 2)));
    this.write("test.npz", writeNpz(await samplesFor(built, 48, 3)));
  }

  /** Names and hashes of all files. */
  files(): Record<string, string> {
    const names = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return Object.fromEntries(
      names.map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path, createHash("sha256").update(readFileSync(path)).digest("hex")];
      }),
    );
  }

  /** Runs `shrinknet` with these words; those that end in a suffix are paths inside the folder. */
  async run(line: string, io: Partial<Io> = {}): Promise<Outcome> {
    const argv = line
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => (/^[^-].*\.(onnx|npz|csv|jsonl?|html|svg)$/.test(word) ? this.path(word) : word));
    let [stdout, stderr] = ["", ""];
    const code = await run(argv, {
      stdout: {
        write(text) {
          stdout += text;
        },
      },
      stderr: {
        write(text) {
          stderr += text;
        },
      },
      colors: false,
      terminal: undefined,
      env: {},
      onInterrupt: () => () => {},
      ...io,
    });
    const local = (text: string): string => text.replaceAll(`${this.folder}/`, "");
    return { code, stdout: local(stdout), stderr: local(stderr) };
  }

  /** Runs a command that must fail: with this code and message, no result, and no file made or changed. */
  async fails(line: string, code: 1 | 2, message: string | RegExp): Promise<void> {
    const before = this.files();
    const outcome = await this.run(line);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).toMatch(/^shrinknet: [^\n]+\n(See shrinknet [a-z ]*--help\n)?$/);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe("");
    expect(this.files()).toEqual(before);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
