/** Training a network with our own training-step graphs, until it is good enough. */
import { type Dataset, type Model, type ObjectiveName, type Quality, type Runner } from "shrinknet";
export interface TrainingPlan {
    readonly runner: Runner;
    readonly data: Dataset;
    readonly objective: ObjectiveName;
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
export declare function train(model: Model, plan: TrainingPlan): Promise<{
    model: Model;
    quality: Quality;
    epochs: number;
}>;
//# sourceMappingURL=train.d.ts.map