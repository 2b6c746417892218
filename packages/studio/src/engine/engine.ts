/**
 * The work behind the page: one model, its data, and runs on them. The same in a worker of the page, over onnxruntime-web, and in
 * the local server, over onnxruntime-node.
 */
import {
  Activations,
  applyPlan,
  createEvaluator,
  type Dataset,
  type Evaluator,
  feedOf,
  inspect,
  latencyOf,
  layerWidths,
  type ModelState,
  modelHash,
  type OpenedModel as Opened,
  Oracle,
  openModel,
  type Plan,
  type PruneResult,
  type Removal,
  type Runner,
  ShrinkError,
  sampleFeeds,
  sizeOfModel,
  slice,
  stateOf,
  type Tensor,
  taylorTerms,
  tensorOf,
} from "@shrinknet/core";
import type {
  Answers,
  Backend,
  Curve,
  Estimates,
  Files,
  FinishedRun,
  NamedBytes,
  OpenedData,
  OpenedModel,
  Picture,
  Position,
  ShrinkRequest,
  StateAt,
  Step,
  UnitName,
  UnitView,
  Watching,
} from "../backend/backend.ts";
import { Classifier, classesBy, compareAnswers } from "./answers.ts";
import { datasetOf } from "./data.ts";
import { timesByLayer } from "./layer-times.ts";
import { pictureOf } from "./picture.ts";
import { Run } from "./run.ts";
import { unitView } from "./unit-view.ts";

export interface EngineOptions {
  readonly runner: Runner;
  readonly threads: number;
  /** Milliseconds, with fractions. */
  clock(): number;
  readonly watching: Watching;
}

/** A model that data have been given for. */
interface Measured {
  /** Size and quality of the intact network. */
  readonly before: Omit<ModelState, "units">;
  readonly opened: Opened;
  readonly data: Dataset;
  readonly evaluator: Evaluator;
}

/** A run as far as it has come. */
interface Way {
  /** For its whole way. */
  readonly plan: Plan;
  readonly before: ModelState;
  readonly removed: readonly Removal[];
  /** Once it has ended. */
  readonly end?: PruneResult;
}

export class Engine implements Backend {
  readonly #options: EngineOptions;
  #file: NamedBytes = { name: "", bytes: new Uint8Array() };
  #picture: Picture | undefined;
  #measured: Measured | undefined;
  #costs: Promise<Float64Array> | undefined;
  #before: Promise<number[]> | undefined;
  readonly #running = new Map<string, Run>();
  readonly #ended = new Map<string, Way>();
  /** The file at the position that was asked for last. */
  #latest: { readonly key: string; readonly file: Promise<Uint8Array>; readonly verified: Promise<number> } | undefined;
  readonly #classifiers = new Map<string, Promise<Classifier>>();

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.runner.name;
  }

  async openModel(file: NamedBytes): Promise<OpenedModel> {
    const summary = await inspect(file.bytes, { runner: this.#options.runner, name: file.name });
    this.#forget();
    this.#file = file;
    this.#measured = undefined;
    const shape = summary.inputs[0]?.shape ?? [];
    this.#picture = pictureOf(shape.slice(1).map((dim) => (typeof dim === "number" ? dim : 0)));
    return { name: file.name, bytes: file.bytes.byteLength, summary, ...(this.#picture && { picture: this.#picture }) };
  }

  async openData(files: readonly NamedBytes[]): Promise<OpenedData> {
    return await this.openDataset(datasetOf(files));
  }

  /** Samples that have been read already. */
  async openDataset(data: Dataset): Promise<OpenedData> {
    const { runner } = this.#options;
    const opened = await openModel(this.#file.bytes, { runner, data });
    if (!opened.samples) throw new ShrinkError("data", `${data.source}: no samples`);
    const evaluator = await createEvaluator(opened.prepared, runner, opened.samples);
    const { quality } = await evaluator.evaluate();
    this.#forget();
    const size = sizeOfModel(opened.original, opened.prepared.shapes);
    this.#measured = { opened, data, evaluator, before: { ...size, ...quality, bytes: this.#file.bytes.byteLength } };
    const labels = this.#labels();
    const classes = labels ? 1 + labels.reduce((most, label) => Math.max(most, label), 0) : undefined;
    return {
      name: data.source,
      samples: evaluator.samples.size,
      error: quality.error,
      objective: evaluator.objective,
      ...(quality.accuracy !== undefined && { accuracy: quality.accuracy }),
      ...(classes !== undefined && { classes }),
    };
  }

  async layerTimes(): Promise<Record<string, number>> {
    const { runner, clock } = this.#options;
    const { prepared } = this.#measured?.opened ?? (await openModel(this.#file.bytes, { runner, looksOnly: true }));
    return await timesByLayer(prepared, this.#measured?.evaluator, { runner, clock });
  }

  async estimates(): Promise<Record<string, Estimates>> {
    const { evaluator } = this.#data();
    const { units } = evaluator.prunable;
    const measured = await this.#allCosts();
    const state = stateOf(evaluator.prunable, new Uint8Array(units.count));
    const { gradient, curvature } = await taylorTerms(evaluator, state, { second: true });
    return Object.fromEntries(
      units.groups.map(({ id, first, size }) => {
        const own = (of: (unit: number) => number): number[] => Array.from({ length: size }, (_, at) => of(first + at));
        const slope = (unit: number): number => gradient[unit] as number;
        return [
          id,
          {
            measured: own((unit) => measured[unit] as number),
            taylor1: own((unit) => -slope(unit)),
            taylor2: own((unit) => (curvature[unit] as number) / 2 - slope(unit)),
          },
        ];
      }),
    );
  }

  async unit(name: UnitName): Promise<UnitView> {
    const { evaluator } = this.#data();
    const view = await unitView(evaluator, name, await this.#allCosts(), this.#picture);
    const { drawGain } = await import("./charts.ts");
    return { ...view, chart: drawGain(view.curve) };
  }

  async sample(index: number): Promise<number[]> {
    const [tensor] = Object.values(feedOf(this.#data().evaluator.samples, index));
    const values = Array.from(tensor?.numbers ?? []);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low >= 0 && high <= 1 ? values : values.map((value) => (value - low) / (high - low || 1));
  }

  async shrink(request: ShrinkRequest): Promise<FinishedRun> {
    const { runner, threads, clock, watching } = this.#options;
    const run = new Run(request);
    this.#running.set(request.id, run);
    try {
      const latency = { clock, threads };
      const tell = (step: Step): void => watching.step(step);
      const { data } = this.#data();
      const result = await run.shrink(this.#file.bytes, { runner, data, latency, name: this.#file.name, tell });
      const { plan, summary } = result;
      this.#ended.set(request.id, { plan, before: summary.before, removed: summary.removed, end: result });
      return { id: request.id, summary: result.summary };
    } finally {
      this.#running.delete(request.id);
    }
  }

  async allow(run: string, steps: number): Promise<void> {
    this.#running.get(run)?.allow(steps);
  }

  async stop(run: string): Promise<void> {
    this.#running.get(run)?.stop();
  }

  async at(position: Position): Promise<StateAt> {
    const way = this.#wayOf(position);
    const { removed } = position;
    const end = way.end?.summary;
    const isEnd = end !== undefined && removed === end.removed.length;
    const row = removed === 0 ? way.before : isEnd ? end.after : way.removed[removed - 1];
    const { file, verified } = this.#fileAt(position);
    const { parameters, macs, error, accuracy } = row ?? way.before;
    return {
      ...position,
      bytes: (await file).byteLength,
      parameters,
      macs,
      ...(Number.isFinite(error) && { error }),
      ...(accuracy !== undefined && { accuracy }),
      widths: this.#widths(way.removed.slice(0, removed)),
      verified: await verified,
    };
  }

  async latency(position: Position): Promise<{ before: number; after: number }> {
    const { runner, threads, clock } = this.#options;
    const { prepared } = this.#data().opened;
    const after = await this.#fileAt(position).file;
    const feeds = sampleFeeds(prepared, this.#data().evaluator, 1)[0] ?? {};
    const found = await latencyOf(runner, { before: this.#file.bytes, after }, feeds, { clock, threads });
    return { before: found?.before ?? Number.NaN, after: found?.after ?? Number.NaN };
  }

  async answers(position: Position): Promise<Answers> {
    const { runner } = this.#options;
    const { data } = this.#data();
    this.#before ??= classesBy(this.#file.bytes, data, runner);
    const after = await classesBy(await this.#fileAt(position).file, data, runner);
    return compareAnswers(await this.#before, after, this.#labels());
  }

  async classify(pixels: readonly number[], position: Position): Promise<{ before: number[]; after: number[] }> {
    const { samples } = this.#data().evaluator;
    const [first] = Object.values(samples.inputs);
    if (!first) throw new ShrinkError("data", "the model has no input");
    const one: Tensor = tensorOf(first.tensor.type as "float32", pixels, slice(first.tensor, 0, 0, 1).dims);
    const [before, after] = await Promise.all([
      this.#classifier({ ...position, removed: 0 }),
      this.#classifier(position),
    ]);
    return { before: await before.shares(one), after: await after.shares(one) };
  }

  async curves(measure: "accuracy" | "error", curves: readonly Curve[], width: number): Promise<string> {
    return (await import("./charts.ts")).drawCurves(measure, curves, width);
  }

  async scatter(curves: readonly Curve[], width: number): Promise<string> {
    return (await import("./charts.ts")).drawScatter(curves, width);
  }

  async files(position: Position): Promise<Files> {
    const { plan, end } = this.#wayOf(position);
    if (!end)
      throw new ShrinkError("option", "files: the run is not at its end, expected one that has ended; stop it first");
    const { summary } = end;
    const state = await this.at(position);
    const removed = summary.removed.slice(0, position.removed);
    const isWhole = position.removed === summary.removed.length;
    const { error = Number.NaN, accuracy, parameters, macs, bytes, widths: layers, verified } = state;
    const { answers: _, latency: __, ...rest } = summary;
    const after = {
      units: summary.before.units - removed.length,
      error,
      parameters,
      macs,
      bytes,
      ...(accuracy !== undefined && { accuracy }),
    };
    const shown = isWhole ? summary : { ...rest, removed, layers, verified, after };
    const { drawReport } = await import("./charts.ts");
    return {
      model: await this.#fileAt(position).file,
      plan: `${JSON.stringify(planAt(plan, removed), undefined, 2)}\n`,
      report: drawReport(shown),
    };
  }

  /** The file after so many removals of a run. The end of a run is the file that it wrote. */
  #fileAt(position: Position): { file: Promise<Uint8Array>; verified: Promise<number> } {
    const key = `${position.run}:${position.removed}`;
    if (this.#latest?.key === key) return this.#latest;
    const { plan, removed, end } = this.#wayOf(position);
    const { runner } = this.#options;
    const made =
      end && position.removed === removed.length
        ? Promise.resolve({ bytes: end.bytes, verification: { difference: end.summary.verified } })
        : applyPlan(this.#file.bytes, planAt(plan, removed.slice(0, position.removed)), {
            runner,
            data: this.#data().data,
          });
    this.#latest = {
      key,
      file: made.then((one) => one.bytes),
      verified: made.then(({ verification }) => verification.difference),
    };
    return this.#latest;
  }

  #widths(removed: readonly Removal[]): StateAt["widths"] {
    const { prunable } = this.#data().evaluator;
    const gone = new Uint8Array(prunable.units.count);
    for (const { group, unit } of removed) {
      const first = prunable.units.groups.find(({ id }) => id === group)?.first ?? 0;
      gone[first + unit] = 1;
    }
    return layerWidths(prunable, gone);
  }

  async #classifier(position: Position): Promise<Classifier> {
    const key = position.removed === 0 ? "intact" : `${position.run}:${position.removed}`;
    const known = this.#classifiers.get(key);
    if (known) return await known;
    const { runner } = this.#options;
    const { data } = this.#data();
    const file = position.removed === 0 ? this.#file.bytes : await this.#fileAt(position).file;
    const made = Classifier.of(file, data, runner);
    for (const [old, one] of this.#classifiers) {
      if (old === "intact") continue;
      this.#classifiers.delete(old);
      one.then((classifier) => classifier.release()).catch(() => {});
    }
    this.#classifiers.set(key, made);
    return await made;
  }

  /** Ends runs and lets sessions go. */
  close(): void {
    this.#forget();
  }

  #allCosts(): Promise<Float64Array> {
    this.#costs ??= this.#measureCosts();
    return this.#costs;
  }

  /** The oracle on the intact network: what every unit costs. */
  async #measureCosts(): Promise<Float64Array> {
    const { evaluator } = this.#data();
    const { count } = evaluator.prunable.units;
    const intact = stateOf(evaluator.prunable, new Uint8Array(count));
    const { quality } = await evaluator.evaluate();
    const oracle = new Oracle(evaluator, new Activations(evaluator, intact));
    const errors = await oracle.errorsWithout(Array.from({ length: count }, (_, unit) => unit));
    return Float64Array.from({ length: count }, (_, unit) => (errors.get(unit) as number) - quality.error);
  }

  #labels(): Int32Array | undefined {
    const answers = Object.values(this.#data().evaluator.samples.answers)[0];
    return answers?.type === "int32" && answers.dims.length === 1 ? (answers.data as Int32Array) : undefined;
  }

  #data(): Measured {
    if (!this.#measured)
      throw new ShrinkError("data", "no samples: measuring needs them; drop a .npz beside the model");
    return this.#measured;
  }

  /** The way of a run: whole, or as far as it has come. */
  #wayOf({ run, removed }: Position): Way {
    const running = this.#running.get(run);
    const way = this.#ended.get(run) ?? (running && this.#wayOfRunning(running));
    if (!way || removed > way.removed.length) throw new RangeError(`run ${run}: has no step ${removed}`);
    return way;
  }

  #wayOfRunning({ request, trace }: Run): Way {
    const { opened, evaluator, before } = this.#data();
    const plan: Plan = {
      format: "shrinknet-plan",
      version: 1,
      modelHash: modelHash(this.#file.bytes),
      criterion: request.criterion,
      schedule: "rerank",
      objective: request.repair ? "match" : evaluator.objective,
      compensation: request.repair ? "lstsq" : "none",
      seed: 0,
      removed: {},
    };
    return { plan, before: { ...before, units: opened.prepared.units.count }, removed: trace };
  }

  #forget(): void {
    for (const run of this.#running.values()) run.stop();
    this.#ended.clear();
    this.#costs = undefined;
    this.#before = undefined;
    this.#latest = undefined;
    for (const one of this.#classifiers.values()) one.then((classifier) => classifier.release()).catch(() => {});
    this.#classifiers.clear();
  }
}

/** The plan of some removals of a run. */
function planAt(plan: Plan, removed: readonly Removal[]): Plan {
  const byGroup = new Map<string, number[]>();
  for (const { group, unit } of removed) byGroup.set(group, [...(byGroup.get(group) ?? []), unit]);
  return {
    ...plan,
    removed: Object.fromEntries([...byGroup].map(([group, units]) => [group, units.sort((a, b) => a - b)])),
  };
}
