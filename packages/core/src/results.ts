/**
 * What the commands return: plain data, JSON as it stands. `--json` prints these objects, the report draws them.
 * Names are fixed by the command-line contract; more may be added, none renamed.
 */

/** Error (summed over samples) and share of right answers of a model on one data set. */
export interface Quality {
  /** The objective, summed over all samples. */
  readonly error: number;
  /** Share of samples whose largest output is the right class, 0 to 1; left out for regression. */
  readonly accuracy?: number;
}

/** Size and quality of a model. */
export interface ModelState extends Quality {
  /** Removable units. */
  readonly units: number;
  /** Elements of all floating-point initializers. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
  /** Bytes of the ONNX file. */
  readonly bytes: number;
  /** Quality on `--test` data. */
  readonly test?: Quality;
}

/** One row of the trace: the state after that removal. */
export interface Removal extends Quality {
  /** 1 for the first removal. */
  readonly step: number;
  /** Group id. */
  readonly group: string;
  /** Position in the group of the original model. */
  readonly unit: number;
  /** Name of the group's root layer. */
  readonly layer: string;
  /** What the criterion said of the unit when it was chosen; lower = remove first. */
  readonly score: number;
  /** Change of the error that the criterion predicted; left out where its scores are not in units of the error. */
  readonly predicted?: number;
  readonly test?: Quality;
  readonly parameters: number;
  readonly macs: number;
}

/** Width of one layer before and after. */
export interface LayerWidth {
  readonly group: string;
  readonly layer: string;
  /** neuron, channel or head */
  readonly kind: string;
  readonly before: number;
  readonly after: number;
}

export interface PruneSummary {
  /** Name or path of the model file. */
  readonly model: string;
  readonly out: string;
  readonly criterion: string;
  readonly schedule: string;
  readonly objective: string;
  readonly compensation: string;
  readonly seed: number;
  readonly before: ModelState;
  readonly after: ModelState;
  readonly removed: readonly Removal[];
  readonly layers: readonly LayerWidth[];
  /** Candidate evaluations: how often the error of the network without one unit was measured. */
  readonly evaluations: number;
  readonly seconds: number;
  /** Largest difference between the written file and the gated original, relative to the largest output. */
  readonly verified: number;
  /** Why it stopped, in words. */
  readonly stopped: string;
}

/** One step of a run that `compare` made. */
export interface CompareStep extends Quality {
  /** Units removed so far; 1 for the first step. */
  readonly removed: number;
  readonly test?: Quality;
  readonly group: string;
  readonly unit: number;
  readonly layer: string;
  /** Change of the error that the criterion predicted; null where its scores are not in units of the error. */
  readonly predicted: number | null;
}

export interface CompareRun {
  readonly criterion: string;
  readonly schedule: string;
  readonly steps: readonly CompareStep[];
  readonly seconds: number;
  readonly evaluations: number;
}

export interface CompareSummary {
  readonly model: string;
  readonly objective: string;
  readonly baseline: ModelState;
  readonly layers: readonly {
    readonly group: string;
    readonly layer: string;
    readonly kind: string;
    readonly size: number;
  }[];
  readonly runs: readonly CompareRun[];
}

/** Where a unit's slices lie in one initializer. */
export interface MemberSummary {
  readonly initializer: string;
  readonly axis: number;
  /** Index of unit 0. */
  readonly offset?: number;
  /** Distance between the indexes of neighbouring units. */
  readonly stride?: number;
  /** Indexes per unit, where more than one. */
  readonly count?: number;
}

export interface InspectSummary {
  readonly model: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly (number | string | null)[];
  }[];
  readonly outputs: readonly {
    readonly name: string;
    readonly type: string;
    readonly shape: readonly (number | string | null)[];
  }[];
  readonly opset: number;
  readonly parameters: number;
  readonly macs: number;
  readonly units: number;
  readonly groups: readonly {
    readonly id: string;
    /** neuron, channel or head */
    readonly kind: string;
    readonly size: number;
    readonly layer: string;
    readonly members: readonly MemberSummary[];
  }[];
  readonly frozen: readonly {
    readonly value: string;
    readonly axis: number;
    readonly size: number;
    readonly reason: string;
    readonly layer?: string;
  }[];
}

/** A gain curve: the error as one unit's output is multiplied by alpha. */
export interface GainCurve {
  readonly group: string;
  readonly unit: number;
  readonly layer: string;
  readonly points: readonly { readonly gain: number; readonly error: number }[];
  /** Error at gain 1. */
  readonly baseline: number;
  /** Predicted error of removal by the tangent (taylor1) and the parabola (taylor2), and as measured at gain 0. */
  readonly tangent: number;
  readonly parabola: number;
  readonly removed: number;
}

export interface GainSummary {
  readonly model: string;
  readonly objective: string;
  readonly curves: readonly GainCurve[];
}
