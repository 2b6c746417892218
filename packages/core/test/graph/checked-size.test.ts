/** Dims beyond memory, wherever a model or a caller states them: one sentence instead of a failed allocation. */
import { describe, expect, test } from "vitest";
import { ShrinkError } from "../../src/errors.ts";
import { checkedZeros } from "../../src/graph/checked-size.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { float32, int64, type Tensor } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(2);
const MANY = 1_000_000;
const initializers = { w: r.tensor([4, 3, 1, 1]), v: r.tensor([2, 4, 1, 1]) };

/** Two layers with something between them. */
const between = (nodes: readonly Node[], more: Record<string, Tensor> = {}, spatial = [4, 4]): Model =>
  model({
    inputs: { x: ["N", 3, ...spatial] },
    outputs: ["y"],
    initializers: { ...initializers, ...more },
    nodes: [node("Conv", ["x", "w"], ["h"]), ...nodes, node("Conv", ["z", "v"], ["y"])],
  });
const plain = (...shape: (number | string)[]): Model => {
  const { graph, ...rest } = between([node("Relu", ["h"], ["z"])]);
  return { ...rest, graph: graph.with({ inputs: [{ name: "x", type: "float32", shape }] }) };
};

async function refusal(one: Model, shapes?: Record<string, readonly number[]>): Promise<string> {
  const error: unknown = await inspect(one, { runner, ...(shapes && { shapes }) }).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(ShrinkError);
  return (error as ShrinkError).message;
}

describe("an input beyond memory", () => {
  const remedy = "expected at most 4 GB; give shorter axes with --shape x=..., or export the model with shorter ones";

  test.each([1, "N"])("is named with its dims, first axis %s", async (samples) => {
    expect(await refusal(plain(samples, 3, MANY, MANY))).toMatch(
      new RegExp(`^input "x": dims \\[1, 3, ${MANY}, ${MANY}\\] take 12000 GB, ${remedy}$`),
    );
    expect(await refusal(plain(samples, 3, Number.MAX_SAFE_INTEGER, 4))).toContain(remedy);
  });

  test("is refused before memory runs out, too", async () => {
    expect(await refusal(plain("N", 3, 60_000, 60_000))).toContain("take 43 GB");
  });

  test("is refused where the caller states its dims", async () => {
    expect(await refusal(plain("N", 3, "h", "w"), { x: [1, 3, MANY, MANY] })).toContain(remedy);
    expect(await refusal(plain("N", 3, "h", "w"), { x: [1, 3, -5, 4] })).toContain(
      'input "x": dims [1, 3, -5, 4] are impossible, expected whole numbers from 0 on; give',
    );
  });

  test("with a negative length has one that the file leaves open", async () => {
    expect((await inspect(plain("N", 3, -7, 4), { runner })).assumed).toEqual([{ input: "x", axis: 2, length: 16 }]);
  });
});

describe("a value inside the model beyond memory", () => {
  const shape = int64([1, 4, MANY, MANY]);
  const sentence = `dims [1, 4, ${MANY}, ${MANY}] take 16000 GB, expected at most 4 GB; export the model with shorter axes`;

  test.each<[string, Model]>([
    ["ConstantOfShape", between([node("ConstantOfShape", ["s"], ["c"]), node("Add", ["h", "c"], ["z"])], { s: shape })],
    ["Expand", between([node("Expand", ["h", "s"], ["c"]), node("Add", ["h", "c"], ["z"])], { s: shape }, [1, 1])],
    [
      "Expand",
      between([node("Expand", ["k", "s"], ["c"]), node("Add", ["h", "c"], ["z"])], { s: shape, k: float32([1]) }),
    ],
  ])("is named: %s", async (opType, one) => {
    expect(await refusal(one)).toBe(`${opType} "c": ${sentence}`);
  });

  test("is named by the runtime where its dims are computed from constants", async () => {
    const computed = between(
      [
        node("Concat", ["few", "many"], ["s"], { axis: 0 }),
        node("ConstantOfShape", ["s"], ["c"]),
        node("Add", ["h", "c"], ["z"]),
      ],
      { few: int64([1, 4]), many: int64([MANY, MANY]) },
    );
    expect(await refusal(computed)).toContain('ConstantOfShape "c": its result takes 16000 GB');
  });

  test("is named by the runtime where its dims are computed from the input's", async () => {
    const computed = between(
      [
        node("Shape", ["h"], ["d"]),
        node("Mul", ["d", "many"], ["s"]),
        node("ConstantOfShape", ["s"], ["c"]),
        node("ReduceMax", ["c"], ["m"]),
        node("Add", ["h", "m"], ["z"]),
      ],
      { many: int64([1, 1, MANY, MANY]) },
    );
    expect(await refusal(computed)).toMatch(
      /^ConstantOfShape "c": its result takes \d+ GB, which is more memory than there is; give inputs with shorter axes/,
    );
  });
});

test("zeros of possible dims are given", () => {
  expect(checkedZeros("x", "int64", [2, 3], "")).toEqual(new BigInt64Array(6));
  expect(checkedZeros("x", "float32", [0, 3], "")).toHaveLength(0);
  expect(() => checkedZeros("x", "float32", [1.5], "say how long")).toThrow(
    "x: dims [1.5] are impossible, expected whole numbers from 0 on; say how long",
  );
});
