/** What networks answer, sample by sample. */
import {
  bindSamples,
  createEvaluator,
  type Dataset,
  feedsOf,
  openModel,
  type Runner,
  type Session,
  type Tensor,
  writeModel,
} from "@shrinknet/core";
import type { Answers } from "../backend/backend.ts";

/** The class that a network gives each sample: the largest of its first output. Empty where that is no vector. */
export async function classesBy(file: Uint8Array, data: Dataset, runner: Runner): Promise<number[]> {
  const { prepared, samples } = await openModel(file, { runner, data });
  if (!samples) return [];
  const { chunks } = await createEvaluator(prepared, runner, samples);
  const [output] = prepared.model.graph.outputs;
  const session = await runner.load(writeModel(prepared.model));
  const found: number[] = [];
  try {
    for (const { feeds, from, to } of chunks) {
      const tensor = (await session.run(feeds))[output?.name ?? ""];
      if (tensor) found.push(...largest(tensor, to - from));
    }
  } finally {
    await session.release();
  }
  return found;
}

/** A network that answers single samples. */
export class Classifier {
  readonly #session: Session;
  readonly #feeds: (tensor: Tensor) => Record<string, Tensor>;
  readonly #output: string;

  private constructor(session: Session, feeds: (tensor: Tensor) => Record<string, Tensor>, output: string) {
    this.#session = session;
    this.#feeds = feeds;
    this.#output = output;
  }

  static async of(file: Uint8Array, data: Dataset, runner: Runner): Promise<Classifier> {
    const { prepared } = await openModel(file, { runner, data });
    const { graph } = prepared.model;
    const name = graph.feeds[0]?.name ?? "";
    const feeds = (tensor: Tensor): Record<string, Tensor> => {
      const samples = bindSamples({ source: "the pad", inputs: { [name]: tensor } }, graph.feeds);
      return { ...feedsOf(samples, 0, 1, prepared.batching) };
    };
    return new Classifier(await runner.load(writeModel(prepared.model)), feeds, graph.outputs[0]?.name ?? "");
  }

  /** Shares of the classes, softmax where the outputs are none already. `sample`: [1, ...dims of one sample]. */
  async shares(sample: Tensor): Promise<number[]> {
    const result = await this.#session.run(this.#feeds(sample));
    const values = Array.from(result[this.#output]?.numbers ?? []);
    const sum = values.reduce((total, value) => total + value, 0);
    if (values.every((value) => value >= 0) && sum > 0) return values.map((value) => value / sum);
    const most = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - most));
    const whole = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / whole);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** How answers differ, and which are right. */
export function compareAnswers(
  before: readonly number[],
  after: readonly number[],
  labels: Int32Array | undefined,
): Answers {
  const classes = 1 + before.concat(after, Array.from(labels ?? [])).reduce((most, one) => Math.max(most, one), -1);
  const confusion = labels ? Array.from({ length: classes }, () => new Array<number>(classes).fill(0)) : [];
  let right = 0;
  labels?.forEach((label, sample) => {
    const answer = after[sample] as number;
    (confusion[label] as number[])[answer] = ((confusion[label] as number[])[answer] as number) + 1;
    if (answer === label) right++;
  });
  const changed = after.flatMap((answer, sample) => {
    const was = before[sample] as number;
    const label = labels?.[sample];
    return answer === was ? [] : [{ sample, before: was, after: answer, ...(label !== undefined && { label }) }];
  });
  return { confusion, changed, ...(labels && labels.length > 0 && { accuracy: right / labels.length }) };
}

/** The index of the largest value of each sample's row. */
function largest({ numbers }: Tensor, samples: number): number[] {
  const width = numbers.length / samples;
  return Array.from({ length: samples }, (_, n) => {
    let best = 0;
    for (let at = 1; at < width; at++) {
      if ((numbers[n * width + at] as number) > (numbers[n * width + best] as number)) best = at;
    }
    return best;
  });
}
