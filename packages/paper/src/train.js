/** Training a network with our own training-step graphs, until it is good enough. */
import { prepare, qualityOf, randomSource, subjectOf, take, trainingStep, } from "shrinknet";
import { shuffle } from "./digits.js";
/** Trains by Adam on shuffled batches. Returns the model at the epoch that was good enough, or the last one. */
export async function train(model, plan) {
    const { runner, data, batch, seed, rate, steps = Infinity } = plan;
    const prunable = await prepare(model, runner);
    const subject = await subjectOf(prunable, runner, data, plan.objective);
    const training = await trainingStep(prunable, { runner, objective: subject.objective });
    const random = randomSource(seed);
    const order = Array.from({ length: data.size }, (_, i) => i);
    let quality = await qualityOf(subject);
    let epoch = 0;
    try {
        while (epoch < plan.maxEpochs && !plan.done(quality, epoch)) {
            epoch++;
            const step = typeof rate === "number" ? rate : rate(epoch);
            shuffle(order, random);
            for (let from = 0; from < Math.min(order.length, steps * batch); from += batch) {
                const chosen = order.slice(from, from + batch);
                const feeds = Object.entries(subject.data.inputs).map(([name, tensor]) => [name, take(tensor, 0, chosen)]);
                await training.step(Object.fromEntries(feeds), take(subject.targets, 0, chosen), step);
            }
            quality = await qualityOf(subject, training.model());
            plan.onEpoch?.(epoch, quality);
        }
        return { model: training.model(), quality, epochs: epoch };
    }
    finally {
        await training.release();
    }
}
//# sourceMappingURL=train.js.map