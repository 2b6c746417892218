/**
 * Where the page's numbers come from. Two backends implement this: a worker in the page, and the local server of
 * `shrinknet studio`. What a backend cannot do is undefined, and the page hides it. Everything that passes is plain data.
 */
import type { GainCurve, InspectSummary, LayerWidth, PruneSummary } from "@shrinknet/core";

/** A file as the page hands it over. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** How one sample of the first input is looked at as a picture. */
export interface Picture {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** 1: grey, 3: colours, planes one after the other. */
  readonly channels: number;
}

/** An opened model. */
export interface OpenedModel {
  readonly name: string;
  readonly bytes: number;
  readonly summary: InspectSummary;
  /** Undefined where the first input is no picture. */
  readonly picture?: Picture;
}

/** Samples that belong to the model. */
export interface OpenedData {
  readonly name: string;
  readonly samples: number;
  /** Number of classes; undefined without labels. */
  readonly classes?: number;
  readonly error: number;
  readonly accuracy?: number;
  readonly objective: string;
}

/** A unit by its group's id and its place in the group. */
export interface UnitName {
  readonly group: string;
  readonly unit: number;
}

/** What one unit is, and does. */
export interface UnitView extends UnitName {
  readonly layer: string;
  /** Measured rise of the error when it goes. */
  readonly cost: number;
  /** What the first and the second order estimate say. */
  readonly taylor1: number;
  readonly taylor2: number;
  readonly curve: GainCurve;
  /** The curve as a drawing (SVG). */
  readonly chart: string;
  /** Its incoming weights as a picture; undefined where they are none. */
  readonly weights?: { readonly width: number; readonly height: number; readonly values: readonly number[] };
  /** Samples that excite it most, the strongest first. */
  readonly exciting: readonly { readonly sample: number; readonly activation: number }[];
  /** The unit whose removal goes best with its own; undefined where there is no other. */
  readonly partner?: UnitName & { readonly alone: number; readonly together: number };
}

/** Costs of a group's units: changes of the error. */
export interface Estimates {
  readonly measured: readonly number[];
  readonly taylor1: readonly number[];
  readonly taylor2: readonly number[];
}

/** A line of a chart. */
export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [removed: number, value: number])[];
}

/** What a run aims at. */
export interface Goal {
  readonly kind: "accuracy" | "parameters" | "macs" | "latency" | "units";
  /** Points of accuracy that may be lost (0.01), or the share that stays (0.5), or the number of units that go. */
  readonly value: number;
}

export interface ShrinkRequest {
  /** Names the run in everything that is told of it. */
  readonly id: string;
  readonly criterion: string;
  readonly repair: boolean;
  readonly goal: Goal;
}

/** What a run tells after each removal. */
export interface Step {
  readonly run: string;
  readonly removed: number;
  readonly expected: number;
  readonly error?: number;
  readonly accuracy?: number;
}

export interface FinishedRun {
  readonly id: string;
  readonly summary: PruneSummary;
}

/** A network somewhere on a run's way. */
export interface Position {
  readonly run: string;
  /** Removals that have happened. */
  readonly removed: number;
}

export interface StateAt extends Position {
  readonly bytes: number;
  readonly parameters: number;
  readonly macs: number;
  readonly error?: number;
  readonly accuracy?: number;
  readonly widths: readonly LayerWidth[];
  /** Largest difference to the original whose removed units are 0. */
  readonly verified: number;
}

/** Answers of the intact and the shrunk network. */
export interface Answers {
  /** confusion[class][answer] of the shrunk network; empty without labels. */
  readonly confusion: readonly (readonly number[])[];
  readonly accuracy?: number;
  /** Samples whose answer has changed. */
  readonly changed: readonly {
    readonly sample: number;
    readonly label?: number;
    readonly before: number;
    readonly after: number;
  }[];
}

export interface Files {
  readonly model: Uint8Array;
  /** JSON. */
  readonly plan: string;
  /** HTML. */
  readonly report: string;
}

export interface Backend {
  readonly name: string;
  /** What the server was started with; undefined in the page. */
  given?(): Promise<{ readonly model?: OpenedModel; readonly data?: OpenedData }>;
  openModel(file: NamedBytes): Promise<OpenedModel>;
  openData(files: readonly NamedBytes[]): Promise<OpenedData>;
  /** Milliseconds by name of a layer's first node. */
  layerTimes(): Promise<Readonly<Record<string, number>>>;
  /** What each unit costs to remove, measured and estimated, by group. */
  estimates(): Promise<Readonly<Record<string, Estimates>>>;
  unit(name: UnitName): Promise<UnitView>;
  /** Pixels of a sample, 0 to 1. */
  sample(index: number): Promise<readonly number[]>;
  /** Runs until its goal; {@link Watching.step} tells how it goes. */
  shrink(request: ShrinkRequest): Promise<FinishedRun>;
  /** `steps`: how many more removals a paused run may make; Infinity lets it run. */
  allow(run: string, steps: number): Promise<void>;
  stop(run: string): Promise<void>;
  at(position: Position): Promise<StateAt>;
  /** Milliseconds of one sample, before and after, measured here in turns. */
  latency(position: Position): Promise<{ readonly before: number; readonly after: number }>;
  answers(position: Position): Promise<Answers>;
  /** What both networks say of a picture: shares of the classes. */
  classify(
    pixels: readonly number[],
    position: Position,
  ): Promise<{ readonly before: readonly number[]; readonly after: readonly number[] }>;
  /** Quality against units removed, as SVG. */
  curves(measure: "accuracy" | "error", curves: readonly Curve[], width: number): Promise<string>;
  /** Predicted against measured costs, as SVG. */
  scatter(curves: readonly Curve[], width: number): Promise<string>;
  files(position: Position): Promise<Files>;
}

/** What the backend calls in the page. */
export interface Watching {
  step(step: Step): void;
}
