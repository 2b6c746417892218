/** Samples of a model: single feeds, feeds of several, and some of them in another order. */
import { describe, expect, test } from "vitest";
import { canStack, feedDims, feedOf, feedsOf, pick, type Samples, someFeeds } from "../../src/data/samples.ts";
import { type Batching, ONE_BY_ONE } from "../../src/graph/batching.ts";
import { float32, int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";

const counting = (...dims: number[]): Tensor =>
  float32(
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
    dims,
  );

/** Four samples: rows, states [2, 1, 3] with the sample axis in the middle, a setting, and labels. */
const samples: Samples = {
  source: "d.npz",
  size: 4,
  inputs: {
    x: { tensor: counting(4, 1, 2), isShared: false },
    state: { tensor: counting(4, 2, 1, 3), isShared: false },
    rate: { tensor: int64([16000], []), isShared: true },
  },
  answers: { "": tensorOf("int32", [7, 8, 9, 10]), box: counting(4, 2) },
};
const batching: Batching = {
  axes: new Map([
    ["x", 0],
    ["state", 1],
  ]),
};
const numbersOf = (tensor: Tensor | undefined): number[] => Array.from(tensor?.numbers ?? []);

test("a feed of one sample is as the model takes it", () => {
  const feed = feedOf(samples, 2);
  expect(Object.fromEntries(Object.entries(feed).map(([name, { dims }]) => [name, dims]))).toEqual({
    x: [1, 2],
    state: [2, 1, 3],
    rate: [],
  });
  expect(numbersOf(feed.x)).toEqual([4, 5]);
  expect(numbersOf(feed.state)).toEqual([12, 13, 14, 15, 16, 17]);
  expect(feed.rate).toBe(samples.inputs.rate?.tensor);
  expect(feedDims(samples)).toEqual({ x: [1, 2], state: [2, 1, 3], rate: [] });
});

test("a feed of several has them side by side along each input's axis", () => {
  const feed = feedsOf(samples, 1, 4, batching);
  expect(feed.x?.dims).toEqual([3, 2]);
  expect(numbersOf(feed.x)).toEqual([2, 3, 4, 5, 6, 7]);
  expect(feed.state?.dims).toEqual([2, 3, 3]);
  expect(numbersOf(feed.state)).toEqual([6, 7, 8, 12, 13, 14, 18, 19, 20, 9, 10, 11, 15, 16, 17, 21, 22, 23]);
  expect(feed.rate?.dims).toEqual([]);
  expect(feedsOf(samples, 1, 2, ONE_BY_ONE)).toEqual(feedOf(samples, 1));
});

test("what is the same for all samples is repeated where the model counts them there too", () => {
  const shared: Samples = { ...samples, inputs: { ...samples.inputs, x: { tensor: counting(1, 2), isShared: true } } };
  const feed = feedsOf(shared, 0, 3, batching);
  expect(feed.x?.dims).toEqual([3, 2]);
  expect(numbersOf(feed.x)).toEqual([0, 1, 0, 1, 0, 1]);
});

test("samples run together where all that differs is stacked", () => {
  expect(canStack(samples, batching)).toBe(true);
  expect(canStack(samples, ONE_BY_ONE)).toBe(false);
  expect(canStack(samples, { axes: new Map([["x", 0]]) })).toBe(false); // states differ
});

describe("some of them", () => {
  test("in the order that is asked for, with their answers", () => {
    const picked = pick(samples, [3, 0, 3]);
    expect(picked).toMatchObject({ source: "d.npz", size: 3 });
    expect(numbersOf(picked.inputs.x?.tensor)).toEqual([6, 7, 0, 1, 6, 7]);
    expect(picked.inputs.x?.tensor.dims).toEqual([3, 1, 2]);
    expect(picked.inputs.rate).toBe(samples.inputs.rate);
    expect(numbersOf(picked.answers[""])).toEqual([10, 7, 10]);
    expect(numbersOf(picked.answers.box)).toEqual([6, 7, 0, 1, 6, 7]);
    expect(feedOf(picked, 1)).toEqual(feedOf(samples, 0));
  });

  test("spread over the data", () => {
    expect(someFeeds(samples, 2).map(({ x }) => numbersOf(x))).toEqual([
      [0, 1],
      [4, 5],
    ]);
    expect(someFeeds(samples, 9)).toHaveLength(4);
  });
});
