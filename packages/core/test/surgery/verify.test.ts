/** The proof before writing: wrong files are refused, however small the wrong part is; what rounding explains passes. */
import { describe, expect, test } from "vitest";
import type { Model } from "../../src/graph/graph.ts";
import { float32, int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import type { Verification } from "../../src/results.ts";
import type { Runner } from "../../src/runner.ts";
import { cut } from "../../src/surgery/cut.ts";
import { VERIFY_TOLERANCE } from "../../src/surgery/differences.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { verify } from "../../src/surgery/verify.ts";
import type { Prunable } from "../../src/units/prepare.ts";
import { cutBytes, prepared, removal, runner, singly } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const REFUSED = "the smaller model differs";

/** How a file compares with the original without some units. */
async function held(
  original: Model,
  file: (prunable: Prunable, removed: RemovedUnits) => Uint8Array,
  x: Tensor,
  gone: readonly number[] = [],
): Promise<Verification> {
  const prunable = await prepared(original);
  const removed = removal(prunable, gone);
  const bytes = file(prunable, removed);
  return verify({ prunable, original, removed, bytes, feeds: singly(prunable, { x }), runner });
}

/** The file without the removed units, some of whose weights are changed. */
const changed =
  (name: string, change: (value: number, at: number) => number) =>
  (prunable: Prunable, removed: RemovedUnits): Uint8Array => {
    const small = cut(prunable, removed);
    const weights = small.graph.initializers.get(name) as Tensor;
    const other = tensorOf(weights.type, Array.from(weights.numbers, change), weights.dims);
    return writeModel({
      ...small,
      graph: small.graph.with({ initializers: new Map([...small.graph.initializers, [name, other]]) }),
    });
  };

const same = (value: number): number => value;

describe("what is compared", () => {
  const r = random(31);
  const network = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: r.tensor([3, 3]), v: r.tensor([3, 2]) },
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["b"]), node("MatMul", ["b", "v"], ["y"])],
  });

  test("a file that computes something else is refused", async () => {
    const other = (prunable: Prunable): Uint8Array => cutBytes(prunable, removal(prunable, [1]));
    await expect(held(network, other, r.tensor([5, 3]), [0])).rejects.toThrow(
      /^output "y": the smaller model differs from the original without its units by \d\.\de[+-]\d+ of the largest value, but rounding explains only \d\.\de-[56]; nothing was written, please report this model's structure$/,
    );
    expect(await held(network, cutBytes, r.tensor([5, 3]), [0])).toMatchObject({ isInDoubt: false });
  });

  /** A runner whose models give, in turn: the file's outputs, the original's, and the original's with all rounded otherwise. */
  const scripted = (small: readonly number[], large: readonly number[], rounded = large): Runner => {
    const results = [small, large, rounded];
    return {
      name: "scripted",
      async load() {
        const values = results.shift() as readonly number[];
        return { run: async () => ({ y: float32(values, [values.length / 2, 2]) }), release: async () => {} };
      },
    };
  };
  const verified = async (...[small, large, rounded]: Parameters<typeof scripted>): Promise<Verification> => {
    const prunable = await prepared(network);
    return verify({
      prunable,
      original: network,
      removed: removal(prunable, []),
      bytes: new Uint8Array(),
      feeds: [{ x: r.tensor([1, 3]) }],
      runner: scripted(small, large, rounded),
    });
  };
  const { NaN: nan, POSITIVE_INFINITY: infinite } = Number;

  test("the largest difference, relative to the largest value of its column", async () => {
    const large = [1, 1000, -10, 500];
    expect(await verified(large, large)).toEqual({ difference: 0, allowance: VERIFY_TOLERANCE, isInDoubt: false });
    const slight = await verified([1, 1000, -10, 500.0005], large);
    expect(slight.difference).toBeCloseTo(5e-7, 7);
    expect(slight).toMatchObject({ allowance: VERIFY_TOLERANCE, isInDoubt: false });
    await expect(verified([1.1, 1000, -10, 500], large)).rejects.toThrow(REFUSED); // 1 % of column 0
    await expect(verified([1, 1000, -10.1, 500], large)).rejects.toThrow(REFUSED);
    await expect(verified([1, 1000, -10, 510], large)).rejects.toThrow(REFUSED);
  });

  test("up to 16 times what rounding explains leaves a doubt", async () => {
    const large = [1, 1000, -10, 500];
    const doubtful = await verified([1, 1000, -10.0001, 500], large);
    expect(doubtful.difference).toBeCloseTo(1e-5, 6);
    expect(doubtful).toMatchObject({ allowance: VERIFY_TOLERANCE, isInDoubt: true });
    await expect(verified([1, 1000, -10.0002, 500], large)).rejects.toThrow(REFUSED);
  });

  test("what one unit in the last place does to the model raises the allowance of that column alone, 32 times it", async () => {
    const large = [1, 1000, -10, 500];
    const rounded = [1, 1000, -10.001, 500]; // 1e-4 of column 0
    const allowed = await verified([1, 1000, -10.01, 500], large, rounded);
    expect(allowed.difference).toBeCloseTo(1e-3, 5);
    expect(allowed).toMatchObject({ isInDoubt: false });
    const doubtful = await verified([1, 1000, -10.04, 500], large, rounded);
    expect(doubtful.allowance).toBeCloseTo(3.2e-3, 4);
    expect(doubtful).toMatchObject({ isInDoubt: true });
    await expect(verified([1, 1000, -10, 501], large, rounded)).rejects.toThrow(REFUSED); // column 1 is as exact as ever
  });

  test("a difference of more than a twentieth is never sure to be rounding", async () => {
    const large = [1, 1000, -10, 500];
    const rounded = [1, 1000, -10.2, 500];
    expect(await verified([1, 1000, -12, 500], large, rounded)).toMatchObject({ isInDoubt: true });
    expect(await verified([1, 1000, -10.4, 500], large, rounded)).toMatchObject({ isInDoubt: false });
    await expect(verified([1, 1000, -17, 500], large, rounded)).rejects.toThrow(REFUSED); // more than 32 times 2 %
  });

  test("the same infinity or NaN on both sides is no difference, and the rest is looked at", async () => {
    const odd = [infinite, nan, 1, 1];
    expect(await verified(odd, odd)).toMatchObject({ difference: 0, isInDoubt: false });
    await expect(verified([infinite, nan, 1, 2], odd)).rejects.toThrow(REFUSED);
    await expect(verified([infinite, nan, 2, 1], odd)).rejects.toThrow(REFUSED);
    await expect(verified([-infinite, nan, 1, 1], odd)).rejects.toThrow(REFUSED);
  });

  test("NaN or infinity on one side is refused, wherever it stands", async () => {
    for (const bad of [nan, infinite]) {
      for (let at = 0; at < 4; at++) {
        const wrong = [1, 1, 1, 1].with(at, bad);
        await expect(verified(wrong, [1, 1, 1, 1])).rejects.toThrow(REFUSED);
        await expect(verified([1, 1, 1, 1], wrong)).rejects.toThrow(REFUSED);
      }
    }
  });

  test("outputs of another size are refused", async () => {
    await expect(verified([1, 1], [1, 1, 1, 1])).rejects.toThrow(REFUSED);
    await expect(verified([1, 1, 1, 1], [1, 1])).rejects.toThrow(REFUSED);
  });

  test("columns that are all 0 may differ by as little as others", async () => {
    const large = [0, 1, 0, 2];
    expect(await verified([5e-7, 1, 0, 2], large)).toMatchObject({ isInDoubt: false });
    await expect(verified([1e-3, 1, 0, 2], large)).rejects.toThrow(REFUSED);
  });

  test("what the runtime refuses is its refusal", async () => {
    const prunable = await prepared(network);
    const refusing: Runner = { name: "refusing", load: async () => Promise.reject(new Error("no such kernel")) };
    const request = { prunable, original: network, removed: removal(prunable, []), runner: refusing };
    await expect(verify({ ...request, bytes: cutBytes(prunable, request.removed), feeds: [] })).rejects.toThrow(
      "no such kernel",
    );
  });
});

describe("a small column beside large ones", () => {
  const r = random(5);
  const scales = [1000, 1, 1000, 1e-3];
  const scaled = (tensor: Tensor, scaleOf: (at: number) => number): Tensor =>
    float32(
      Array.from(tensor.numbers, (value, at) => value * scaleOf(at)),
      tensor.dims,
    );
  const dense = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { w: r.tensor([4, 6]), v: scaled(r.tensor([6, 4]), (at) => scales[at % 4] as number) },
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["b"]), node("MatMul", ["b", "v"], ["y"])],
  });
  const maps = model({
    inputs: { x: ["N", 2, 5, 5] },
    outputs: ["y"],
    initializers: {
      w: r.tensor([6, 2, 3, 3]),
      v: scaled(r.tensor([4, 6, 1, 1]), (at) => scales[Math.floor(at / 6)] as number),
    },
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("Conv", ["b", "v"], ["c"]),
      node("Transpose", ["c"], ["y"], { perm: [0, 2, 3, 1] }),
    ],
  });
  const heads = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: {
      w: r.tensor([4, 6]),
      large: scaled(r.tensor([6, 3]), () => 1000),
      v: r.tensor([6, 2]),
    },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("MatMul", ["b", "large"], ["boxes"]),
      node("MatMul", ["b", "v"], ["scores"]),
      node("Concat", ["boxes", "scores"], ["y"], { axis: 1 }),
    ],
  });
  const cases: [string, Model, Tensor, columnOf: (at: number) => number, columns: number][] = [
    ["of a dense layer", dense, r.tensor([6, 4]), (at) => at % 4, 4],
    ["of channels that a transposition brings to the end", maps, r.tensor([3, 2, 5, 5]), (at) => Math.floor(at / 6), 4],
    ["of heads side by side", heads, r.tensor([6, 4]), (at) => at % 2, 2],
  ];

  test.each(cases)("%s: 1 %% of its own size is refused, for each column", async (_, network, x, columnOf, columns) => {
    for (let column = 0; column < columns; column++) {
      const wrong = changed("v", (value, at) => (columnOf(at) === column ? 1.01 * value : value));
      await expect(held(network, wrong, x), `column ${column}`).rejects.toThrow(REFUSED);
    }
  });

  test.each(cases)("%s: the right file passes, with units and without", async (_, network, x) => {
    for (const gone of [[], [0], [1, 4], [0, 2, 3, 5]]) {
      const { difference, isInDoubt } = await held(network, cutBytes, x, gone);
      expect(isInDoubt).toBe(false);
      expect(difference).toBeLessThan(1e-5);
    }
  });

  test.each(cases)("%s: some units in the last place leave a doubt, fewer pass", async (_, network, x, columnOf) => {
    const by = (share: number) =>
      held(
        network,
        changed("v", (value, at) => (columnOf(at) === 1 ? value * (1 + share) : value)),
        x,
      );
    const { difference, allowance, isInDoubt } = await by(2e-5);
    expect(isInDoubt).toBe(true);
    expect(Math.abs(difference - 2e-5)).toBeLessThan(2e-6);
    expect(allowance).toBeLessThan(2e-5);
    expect(await by(allowance / 2)).toMatchObject({ isInDoubt: false });
    expect(await by(2 * allowance)).toMatchObject({ isInDoubt: true });
    await expect(by(20 * allowance)).rejects.toThrow(REFUSED);
  });
});

describe("an ill-conditioned model", () => {
  /** Sums of 64 large terms that cancel but for a small rest. */
  function cancelling(): Model {
    const r = random(8);
    const width = 64;
    const w = r.tensor([4, width / 2]);
    const doubled = (at: number): number =>
      w.numbers[Math.floor(at / width) * (width / 2) + (at % (width / 2))] as number;
    // the second half of the units is nearly the first half, and is subtracted
    const weights = Array.from({ length: 4 * width }, (_, at) => doubled(at) * (at % width < width / 2 ? 1 : 1 + 1e-4));
    const v = Array.from({ length: width }, (_, at) => (at < width / 2 ? 1e4 : -1e4));
    return model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: { w: float32(weights, [4, width]), v: float32(v, [width, 1]) },
      nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["b"]), node("MatMul", ["b", "v"], ["y"])],
    });
  }
  const x = random(9).tensor([8, 4]);
  const pairs = (...units: number[]): number[] => units.flatMap((unit) => [unit, unit + 32]);

  test.each([[pairs(0)], [pairs(3, 4, 5)], [pairs(...Array.from({ length: 17 }, (_, i) => i))]])(
    "passes without %j, by more than 1e-6",
    async (gone) => {
      const { allowance, isInDoubt } = await held(cancelling(), cutBytes, x, gone);
      expect(allowance).toBeGreaterThanOrEqual(VERIFY_TOLERANCE);
      expect(isInDoubt).toBe(false);
    },
  );

  test("is allowed what rounding does to it, many times the usual tolerance, and no more", async () => {
    // in another order of the units, the file sums in another order
    const reordered = (prunable: Prunable): Uint8Array => {
      const { graph } = prunable.model;
      const order = Array.from({ length: 64 }, (_, i) => (i * 37) % 64);
      const [w, v] = [graph.initializers.get("w"), graph.initializers.get("v")] as [Tensor, Tensor];
      const columns = Array.from({ length: 4 * 64 }, (_, at) => {
        const row = Math.floor(at / 64);
        return w.numbers[row * 64 + (order[at % 64] as number)] as number;
      });
      const rows = order.map((unit) => v.numbers[unit] as number);
      const initializers = new Map([
        ["w", float32(columns, [4, 64])],
        ["v", float32(rows, [64, 1])],
      ]);
      return writeModel({ ...prunable.model, graph: graph.with({ initializers }) });
    };
    const { difference, isInDoubt } = await held(cancelling(), reordered, x);
    expect(difference).toBeGreaterThan(10 * VERIFY_TOLERANCE);
    expect(isInDoubt).toBe(false);
    const wrong = changed("v", (value, at) => (at === 7 ? 1.01 * value : value));
    await expect(held(cancelling(), wrong, x)).rejects.toThrow(REFUSED);
  });
});

describe("integer outputs", () => {
  const r = random(12);
  const tied = Array.from(r.tensor([6]).numbers);
  /** Classes 1 and 2 are the same but for rounding. */
  const withTies = (weights: Tensor): Tensor =>
    float32(
      Array.from(weights.numbers, (value, at) =>
        at % 4 === 1 || at % 4 === 2 ? 3 * (tied[Math.floor(at / 4)] as number) : value,
      ),
      weights.dims,
    );
  const classifier = (v: Tensor): Model =>
    model({
      inputs: { x: ["N", 4] },
      outputs: { y: { type: "int64", shape: ["N"] } },
      initializers: { w: r.tensor([4, 6]), v },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("MatMul", ["b", "v"], ["logits"]),
        node("ArgMax", ["logits"], ["y"], { axis: 1, keepdims: 0 }),
      ],
    });
  const x = r.tensor([40, 4]);
  const plain = classifier(r.tensor([6, 4]));
  const ties = classifier(withTies(r.tensor([6, 4])));
  const ulp = 2 ** -23;

  test("that flip where two classes are equal pass", async () => {
    // of the file the second of the equal classes wins wherever it is positive
    const flipping = changed("v", (value, at) => (at % 4 === 2 ? value * (1 + ulp) : value));
    const prunable = await prepared(ties);
    const [own, other] = await Promise.all(
      [cutBytes(prunable, removal(prunable, [])), flipping(prunable, removal(prunable, []))].map(async (bytes) => {
        const session = await runner.load(bytes);
        const { y } = await session.run({ x });
        await session.release();
        return Array.from((y as Tensor).numbers);
      }),
    );
    expect(own?.filter((value, n) => value !== other?.[n]).length).toBeGreaterThan(3);
    expect(await held(ties, flipping, x)).toMatchObject({ isInDoubt: false });
    expect(await held(ties, cutBytes, x, [1, 4])).toMatchObject({ isInDoubt: false });
  });

  test("that change where no classes are equal are refused", async () => {
    const swapped = changed("v", (value) => -value);
    await expect(held(plain, swapped, x)).rejects.toThrow(REFUSED);
    await expect(held(plain, cutBytes, x, [0])).resolves.toMatchObject({ isInDoubt: false });
  });

  test("are not all that is compared: also the reals before them", async () => {
    // no class changes when all logits are 1 % larger
    const larger = changed("v", (value) => 1.01 * value);
    await expect(held(plain, larger, x)).rejects.toThrow('output "logits"');
    await expect(held(ties, larger, x)).rejects.toThrow('output "logits"');
  });

  test("that are counted otherwise from the same reals are refused", async () => {
    const numbered = model({
      inputs: { x: ["N", 4] },
      outputs: { y: { type: "int64", shape: ["N"] } },
      initializers: { w: r.tensor([4, 6]), v: r.tensor([6, 4]), first: int64([0]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("MatMul", ["b", "v"], ["logits"]),
        node("ArgMax", ["logits"], ["class"], { axis: 1, keepdims: 0 }),
        node("Add", ["class", "first"], ["y"]),
      ],
    });
    expect(await held(numbered, changed("first", same), x)).toMatchObject({ isInDoubt: false });
    await expect(
      held(
        numbered,
        changed("first", () => 1),
        x,
      ),
    ).rejects.toThrow('output "y"');
  });

  test("places of the largest values may flip where these are equal, and nowhere else", async () => {
    const best = (v: Tensor): Model =>
      model({
        inputs: { x: ["N", 4] },
        outputs: { values: ["N", 2], y: { type: "int64", shape: ["N", 2] } },
        initializers: { w: r.tensor([4, 6]), v, k: int64([2]) },
        nodes: [
          node("MatMul", ["x", "w"], ["a"]),
          node("Tanh", ["a"], ["b"]),
          node("MatMul", ["b", "v"], ["logits"]),
          node("TopK", ["logits", "k"], ["values", "y"], { axis: 1 }),
        ],
      });
    const flipping = changed("v", (value, at) => (at % 4 === 2 ? value * (1 + ulp) : value));
    expect(await held(best(withTies(r.tensor([6, 4]))), flipping, x)).toMatchObject({ isInDoubt: false });
    await expect(
      held(
        best(r.tensor([6, 4])),
        changed("v", (value) => -value),
        x,
      ),
    ).rejects.toThrow(REFUSED);
  });
});

describe("where what rounding does cannot be seen", () => {
  const r = random(3);
  const classifier = model({
    inputs: { x: ["N", 3] },
    outputs: { y: { type: "int64", shape: ["N"] } },
    initializers: { w: r.tensor([3, 4]), v: r.tensor([4, 3]) },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("MatMul", ["b", "v"], ["logits"]),
      node("ArgMax", ["logits"], ["y"], { axis: 1, keepdims: 0 }),
    ],
  });
  const logits = float32([1, 2, 3, 3, 2, 1], [2, 3]);
  /** Models give, in turn: the file's classes, its logits, all of the original's; the last one is refused. */
  const verified = async (own: Tensor, ownLogits: Tensor): Promise<Verification> => {
    const prunable = await prepared(classifier);
    const results = [{ y: own }, { y: own, logits: ownLogits }, { y: int64([2, 0]), logits }];
    const removed = removal(prunable, []);
    return verify({
      prunable,
      original: classifier,
      removed,
      bytes: cutBytes(prunable, removed),
      feeds: [{ x: r.tensor([2, 3]) }],
      runner: {
        name: "refusing the last",
        async load() {
          const result = results.shift();
          const run = async () => result ?? Promise.reject(new Error("another length"));
          return { run, release: async () => {} };
        },
      },
    });
  };

  test("reals keep to the usual tolerance", async () => {
    expect(await verified(int64([2, 0]), logits)).toMatchObject({ isInDoubt: false, allowance: VERIFY_TOLERANCE });
    await expect(verified(int64([2, 0]), float32([1, 2, 3, 3, 2, 1.1], [2, 3]))).rejects.toThrow(REFUSED);
  });

  test("integers are held to the original all the same", async () => {
    await expect(verified(int64([1, 1]), logits)).rejects.toThrow(REFUSED);
  });
});

test("feeds one by one and together give the same verdict", async () => {
  const r = random(77);
  const network = (rows: "N" | 1): Model =>
    model({
      inputs: { x: [rows, 4] },
      outputs: ["y"],
      initializers: { w: r.tensor([4, 6]), v: r.tensor([6, 3]) },
      nodes: [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "v"], ["y"])],
    });
  for (const rows of ["N", 1] as const) {
    const original = network(rows);
    const prunable = await prepared(original);
    const removed = removal(prunable, [1, 2]);
    // the last feature is 0 for all samples but the last
    const x = Float32Array.from(r.tensor([20, 4]).numbers, (value, at) => (at % 4 < 3 || at === 79 ? value : 0));
    const feeds = singly(prunable, { x: float32(x, [20, 4]) });
    expect(feeds).toHaveLength(20);
    const request = { prunable, original, removed, runner };
    expect(await verify({ ...request, bytes: cutBytes(prunable, removed), feeds })).toMatchObject({ isInDoubt: false });
    const bytes = changed("w", (value, at) => (at < 3 * 4 ? value : 1.5 * value))(prunable, removed);
    expect(await verify({ ...request, bytes, feeds: feeds.slice(0, -1) })).toMatchObject({ isInDoubt: false });
    await expect(verify({ ...request, bytes, feeds })).rejects.toThrow(REFUSED);
    await expect(verify({ ...request, bytes, feeds: feeds.slice(-1) })).rejects.toThrow(REFUSED);
  }
});
