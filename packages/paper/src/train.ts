/** Training a network with our own training-step graphs, until it is good enough. */
import {
  type Dataset,
  type Model,
  type ObjectiveName,
  prepare,
  type Quality,
  qualityOf,
  type Runner,
  randomSource,
  shuffled,
  subjectOf,
  take,
  trainingStep,
} from "shrinknet";

export interface TrainingPlan {
  readonly runner: Runner;
  readonly data: Dataset;
  readonly objective: ObjectiveName;
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
  const subject = await subjectOf(prunable, runner, data, plan.objective);
  const training = await trainingStep(prunable, {
    runner,
    objective: subject.objective,
    ...(plan.decay !== undefined && { decay: plan.decay }),
  });
  const random = randomSource(seed);
  let order = Array.from({ length: data.size }, (_, i) => i);
  let quality = await qualityOf(subject);
  let epoch = 0;
  try {
    while (epoch < plan.maxEpochs && !plan.done(quality, epoch)) {
      epoch++;
      const step = typeof rate === "number" ? rate : rate(epoch);
      order = shuffled(order.length, random).map((index) => order[index] as number);
      for (let from = 0; from < Math.min(order.length, steps * batch); from += batch) {
        const chosen = order.slice(from, from + batch);
        const feeds = Object.entries(subject.data.inputs).map(([name, tensor]) => [name, take(tensor, 0, chosen)]);
        await training.step(Object.fromEntries(feeds), take(subject.targets, 0, chosen), step);
      }
      quality = await qualityOf(subject, training.model());
      plan.onEpoch?.(epoch, quality);
    }
    return { model: training.model(), quality, epochs: epoch };
  } finally {
    await training.release();
  }
}
