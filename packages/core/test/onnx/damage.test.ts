/** Whatever the bytes, reading gives a model that can be written again or a ShrinkError, and nothing else. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ShrinkError } from "../../src/errors.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { AttributeType, floats, info, modelFile, node } from "./files.ts";

const file = modelFile(
  {
    node: [
      node("MatMul", ["x", "w"], ["h"]),
      node("If", ["flag"], ["y"], {
        attribute: [
          {
            name: "then_branch",
            type: AttributeType.GRAPH,
            g: { node: [node("Relu", ["h"], ["a"])], output: [{ name: "a" }] },
          },
          {
            name: "else_branch",
            type: AttributeType.GRAPH,
            g: { node: [node("Tanh", ["h"], ["b"])], output: [{ name: "b" }] },
          },
        ],
      }),
      node("Constant", [], ["flag"], {
        attribute: [{ name: "value", type: AttributeType.TENSOR, t: { dims: [], dataType: 9, int32Data: [1] } }],
      }),
    ],
    initializer: [
      floats("w", [1, 2, 3, 4, 5, 6], [2, 3]),
      { name: "i", dims: [2n], dataType: 7, int64Data: [300n, -1n] },
    ],
    valueInfo: [info("h", ["N", 3])],
  },
  { metadataProps: [{ key: "author", value: "me" }] },
);

function readsOrRefuses(bytes: Uint8Array): "read" | "refused" {
  try {
    const model = readModel(bytes);
    expect(readModel(writeModel(model)).graph.nodes.length).toBe(model.graph.nodes.length);
    return "read";
  } catch (error) {
    if (!(error instanceof ShrinkError)) throw error;
    expect(error.message).toMatch(/: .*(expected|damaged|again|rename)/s);
    return "refused";
  }
}

test("a file cut anywhere", () => {
  const results = Array.from(file, (_, length) => readsOrRefuses(file.subarray(0, length)));
  // Only what comes after graph and opset imports can be lost unseen: here, the metadata.
  expect(results.indexOf("read")).toBeGreaterThan(file.length - 20);
  expect(readsOrRefuses(file)).toBe("read");
});

test("a file with damaged bytes", () => {
  const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  const property = fc.property(damage, (changes) => {
    const bytes = file.slice();
    for (const [at, byte] of changes) bytes[at] = byte;
    expect(["read", "refused"]).toContain(readsOrRefuses(bytes));
  });
  fc.assert(property, { numRuns: 2000 });
});

test("random bytes", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readsOrRefuses(bytes) === "refused");
  expect(() => fc.assert(property, { numRuns: 500 })).not.toThrow();
});
