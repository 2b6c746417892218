import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sizeOf, Tensor } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { model, node } from "../support/build.ts";

const child = fileURLToPath(new URL("memory-child.ts", import.meta.url));

interface Report {
  /** Peak of resident memory in bytes. */
  readonly peak: number;
  /** Bytes of the file that was read, and of the one that came out. */
  readonly before: number;
  readonly after: number;
}

/** A chain of `layers` 7x7 convolutions of `width` channels, with no negative weights, so that nothing cancels out. */
function chain(layers: number, width: number): Uint8Array {
  const weights = Array.from({ length: layers }, (_, layer): [string, Tensor] => {
    const dims = [width, layer === 0 ? 1 : width, 7, 7];
    const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => ((i * 37 + layer) % 101) / 1e5);
    return [`w${layer}`, new Tensor("float32", dims, values)];
  });
  const pads = { pads: [3, 3, 3, 3] };
  return writeModel(
    model({
      inputs: { x0: ["N", 1, 2, 2] },
      outputs: [`x${layers}`],
      initializers: Object.fromEntries(weights),
      nodes: weights.flatMap(([name], layer) => [
        node("Conv", [`x${layer}`, name], [`c${layer}`], pads),
        node("Relu", [`c${layer}`], [`x${layer + 1}`]),
      ]),
    }),
  );
}

function pruned(file: Uint8Array): Report {
  const folder = mkdtempSync(join(tmpdir(), "shrinknet-"));
  try {
    const path = join(folder, "model.onnx");
    writeFileSync(path, file);
    const out = execFileSync(process.execPath, ["--conditions=source", "--import", "tsx", child, path]);
    return JSON.parse(out.toString()) as Report;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// the kernel's own count of the peak, which only Linux has
test.runIf(process.platform === "linux")(
  "cutting takes less than three times the file, beside what a tiny file takes",
  () => {
    const empty = pruned(chain(2, 4));
    const large = pruned(chain(32, 128));
    expect(large.before).toBeGreaterThan(90 * 2 ** 20);
    expect(large.after).toBeLessThan(0.6 * large.before);
    expect(large.peak - empty.peak).toBeGreaterThan(large.before); // shows that it measures anything
    expect(large.peak - empty.peak).toBeLessThan(3 * large.before);
  },
);
