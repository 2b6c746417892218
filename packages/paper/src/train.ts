/** Training a network with our own training-step graphs, until it is good enough. */
import {
  createEvaluator,
  type Dataset,
  feedsOf,
  type Model,
  pick,
  prepare,
  type Quality,
  type Runner,
  randomSource,
  shuffled,
  take,
  trainingStep,
} from "@shrinknet/core";

export interface TrainingPlan {
  readonly runner: Runner;
  readonly data: Dataset;
  /** Name of the objective. */
  readonly objective: string;
  /** Weight decay of the steps; default 0. */
  readonly decay?: number;
  /** Samples in a step. */
  readonly batch: number;
  /** Step size of Adam, or that of each epoch (the first is 1). */
  readonly rate: number | ((epoch: number) => number);
  /** Steps in an epoch; default: as many as the data fill. */
  readonly steps?: number | undefined;
  readonly maxEpochs: number;
  /** Ends training; asked after every epoch. */
  readonly done: (quality: Quality, epoch: number) => boolean;
  readonly seed: number;
  readonly onEpoch?: (epoch: number, quality: Quality) => void;
}

/** Trains by Adam on shuffled batches. Returns the model at the epoch that was good enough, or the last one. */
export async function train(
  model: Model,
  plan: TrainingPlan,
): Promise<{ model: Model; quality: Quality; epochs: number }> {
  const { runner, data, batch, seed, rate, steps = Infinity } = plan;
  const prunable = await prepare(model, runner);
  const evaluator = await createEvaluator(prunable, runner, data, { objective: plan.objective });
  const training = await trainingStep(prunable, {
    runner,
    terms: evaluator.terms,
    ...(plan.decay !== undefined && { decay: plan.decay }),
  });
  const random = randomSource(seed);
  let order = Array.from({ length: evaluator.samples.size }, (_, i) => i);
  let quality = (await evaluator.evaluate()).quality;
  let epoch = 0;
  try {
    while (epoch < plan.maxEpochs && !plan.done(quality, epoch)) {
      epoch++;
      const step = typeof rate === "number" ? rate : rate(epoch);
      order = shuffled(order.length, random).map((index) => order[index] as number);
      for (let from = 0; from < Math.min(order.length, steps * batch); from += batch) {
        const chosen = order.slice(from, from + batch);
        const batchOf = pick(evaluator.samples, chosen);
        const feeds = feedsOf(batchOf, 0, chosen.length, prunable.batching);
        const targets = evaluator.terms.map(({ target, bound }) => [target, take(bound.targets, 0, chosen)]);
        await training.step(feeds, Object.fromEntries(targets), step);
      }
      quality = (await evaluator.evaluate(training.model())).quality;
      plan.onEpoch?.(epoch, quality);
    }
    return { model: training.model(), quality, epochs: epoch };
  } finally {
    await training.release();
  }
}
