/** A run that can be paused, made one step at a time, and ended. */
import {
  type Dataset,
  type LatencyOptions,
  type PruneOptions,
  type PruneResult,
  prune,
  type Removal,
  type Runner,
} from "@shrinknet/core";
import type { Goal, ShrinkRequest, Step } from "../backend/backend.ts";

export class Run {
  readonly request: ShrinkRequest;
  readonly #signal = { aborted: false };
  /** Removals that may still happen before it waits. */
  #allowed = Number.POSITIVE_INFINITY;
  #wake: (() => void) | undefined;
  #trace: readonly Removal[] = [];

  constructor(request: ShrinkRequest) {
    this.request = request;
  }

  /** What has gone so far. */
  get trace(): readonly Removal[] {
    return this.#trace;
  }

  allow(steps: number): void {
    this.#allowed = steps;
    this.#wake?.();
  }

  stop(): void {
    this.#signal.aborted = true;
    this.#wake?.();
  }

  /** Shrinks the model; `tell` hears of every removal. */
  async shrink(
    model: Uint8Array,
    {
      runner,
      data,
      latency,
      name,
      tell,
    }: {
      readonly runner: Runner;
      readonly data: Dataset;
      readonly latency: LatencyOptions;
      readonly name: string;
      tell(step: Step): void;
    },
  ): Promise<PruneResult> {
    const { id, criterion, repair, goal } = this.request;
    return await prune(model, {
      runner,
      data,
      criterion,
      ...budgetOf(goal),
      ...(repair && { compensate: "lstsq" as const }),
      ...(goal.kind === "latency" && { latency }),
      bestEffort: true,
      names: { model: name, out: name.replace(/(\.onnx)?$/, ".small.onnx") },
      signal: this.#signal,
      onProgress: async ({ removed, expected, quality: { error, accuracy }, trace }) => {
        if (trace) this.#trace = trace.slice();
        const known = { ...(error !== undefined && { error }), ...(accuracy !== undefined && { accuracy }) };
        tell({ run: id, removed, expected, ...known });
        await this.#permission();
      },
    });
  }

  /** Lets messages in, and waits while the run is paused. */
  async #permission(): Promise<void> {
    await messages();
    while (this.#allowed <= 0 && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#allowed--;
  }
}

/** Ends when messages that have come were heard: no timer, which browsers stretch to 4 ms. */
function messages(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}

/** The goal as `prune` takes it. Counts of units are removed one by one. */
export function budgetOf({ kind, value }: Goal): Pick<PruneOptions, "budget" | "align"> {
  if (kind === "accuracy") return { budget: { maxAccuracyDrop: value }, align: 1 };
  if (kind === "units") return { budget: { remove: { count: value } } };
  if (kind === "parameters") return { budget: { targetParams: value } };
  return { budget: kind === "macs" ? { targetMacs: value } : { targetLatency: { share: value } } };
}
