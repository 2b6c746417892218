/**
 * What the commands return: plain data, JSON as it stands. `--json` prints these objects, the report draws them.
 * Names are fixed by the command-line contract; more may be added, none renamed.
 */
/** Error and accuracy of a model on one data set: means over its samples. */
export interface Quality {
  /** Mean over samples of the sum of all outputs' errors, each by its own objective. */
  readonly error: number;
  /** Share of right classes, 0 to 1: the mean over outputs with labels; left out without any. */
  readonly accuracy?: number;
  /** By output; left out for models with one. */
  readonly outputs?: readonly OutputQuality[];
}

/** Error and accuracy of one output. */
export interface OutputQuality {
  readonly name: string;
  readonly objective: string;
  readonly error: number;
  readonly accuracy?: number;
  /** Share of classes that are those of the original model. */
  readonly agreement?: number;
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
  /** Quality on the held-out part of the calibration data; error and accuracy are then those of the rest. */
  readonly heldOut?: Quality;
  /** Quality on `--test` data. */
  readonly test?: Quality;
}

/** What `evaluate` says of a model. */
export interface EvaluateSummary extends Quality {
  /** Name or path of the model file, of the data, and of the model that it is held to. */
  readonly model: string;
  readonly data: string;
  readonly against?: string;
  readonly samples: number;
  readonly objective: string;
  readonly outputs: readonly OutputQuality[];
  /** Accuracy of the model that it is held to. */
  readonly accuracyOfOther?: number;
  /** Whether each sample was a run of its own. */
  readonly isOneByOne: boolean;
  readonly parameters: number;
  readonly macs: number;
  readonly bytes: number;
  readonly runner: string;
}

/**
 * One row of the trace: the state after that removal. Where that was not measured, the error is NaN (null in JSON) and
 * there is no accuracy.
 */
export interface Removal extends Quality {
  /** 1 for the first removal. */
  readonly step: number;
  /** Group id. */
  readonly group: string;
  /** Position in the group of the original model. */
  readonly unit: number;
  /** Name of the group's root layer. */
  readonly layer: string;
  /** The unit of the group that is gone in its place in the end; only where polish has put this one back. */
  readonly instead?: number;
  /** What the criterion said of the unit when it was chosen; lower = remove first. */
  readonly score: number;
  /** Change of the error that the criterion predicted; left out where its scores are not in units of the error. */
  readonly predicted?: number;
  readonly heldOut?: Quality;
  readonly test?: Quality;
  readonly parameters: number;
  readonly macs: number;
  /** How sure the choice was: proved best among single removals, best by racing, or neither. */
  readonly certificate: "exact" | "racing" | "heuristic";
  /** Candidate evaluations that this choice took; parts of the data count as parts. */
  readonly evaluations: number;
  /** Multiply-accumulates of these for one sample. */
  readonly work: number;
  /** What brute force would have taken: one for every unit that could have gone. None where the ranking was made before. */
  readonly candidates: number;
}

/** All choices of a run together: how sure they are, and what they cost. */
export interface Certificates {
  readonly picks: number;
  /** Picks that are proved best among single removals, and picks that are best by racing. */
  readonly proved: number;
  readonly raced: number;
  /** Candidate evaluations, and what brute force would have taken. */
  readonly evaluations: number;
  readonly bruteForce: number;
  /** Multiply-accumulates of brute force by full passes, divided by those of the evaluations; null without evaluations. */
  readonly timesLess: number | null;
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

/** The fall of accuracy on one set of samples, with an interval for samples like these. */
export interface AccuracyDrop {
  readonly samples: number;
  /** Accuracy before - accuracy after. */
  readonly drop: number;
  /** Ends of the interval: paired, adjusted Wald (Bonett and Price 2012). */
  readonly low: number;
  readonly high: number;
  /** Of the interval, 0 to 1. */
  readonly confidence: number;
  /** Samples whose right answer became wrong, and the other way round. */
  readonly lost: number;
  readonly won: number;
}

/** Share of right answers among the samples of one class. */
export interface ClassAccuracy {
  readonly class: number;
  readonly samples: number;
  readonly before: number;
  readonly after: number;
}

/** What is known of one set of samples whose classes are known. */
export interface Answers {
  readonly drop: AccuracyDrop;
  /** Classes without samples are left out. */
  readonly classes: readonly ClassAccuracy[];
}

/** Samples of the calibration data that no unit was scored on. */
export interface HeldOutPart {
  readonly samples: number;
  /** Of all calibration samples, 0 to 1. */
  readonly share: number;
  /** What they decided about, in words. */
  readonly usedFor: string;
}

/** Time of one sample through the model, before and after. */
export interface Latency {
  /** Median in milliseconds. */
  readonly before: number;
  readonly after: number;
  /** How many times faster: before / after. */
  readonly speedup: number;
  /** Of the speedup, with 95 % confidence. */
  readonly interval: readonly [low: number, high: number];
  /** Runs of each model, in turns. */
  readonly runs: number;
  /** Threads of the runtime. */
  readonly threads: number;
}

/** Units that changed places after the loop. */
export interface Polish {
  /** Removed units that were tried in place of others. */
  readonly trials: number;
  /** How many trials lowered the error, and so stand. */
  readonly swaps: number;
  /** Of the samples that choose. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** Whether no further trial lowers it; else there were as many as a run can afford. */
  readonly settled: boolean;
}

/** A layer of weights behind removed units that a repair leaves as it is, or in part. */
export interface Unfitted {
  readonly layer: string;
  readonly reason: string;
}

/** Quality against units removed under one compensation. */
export interface CompensationCurve {
  /** none, mean or lstsq */
  readonly compensation: string;
  readonly points: readonly (Quality & { readonly removed: number; readonly test?: Quality })[];
}

/** How the written file compares with the original whose removed units' outputs are 0. */
export interface Verification {
  /** Largest difference of any output, relative to the largest value of its column. */
  readonly difference: number;
  /** What rounding explains: a multiple of what one unit in the last place of every weight and input does to this model. */
  readonly allowance: number;
  /** Whether the difference is above the allowance, but not so far that it must be something else. */
  readonly isInDoubt: boolean;
}

export interface PruneSummary {
  /** Name or path of the model file. */
  readonly model: string;
  readonly out: string;
  readonly criterion: string;
  /** A criterion whose result was worse and not kept; left out where only one was tried. */
  readonly alsoTried?: string;
  readonly schedule: string;
  readonly objective: string;
  readonly compensation: string;
  readonly seed: number;
  readonly before: ModelState;
  readonly after: ModelState;
  readonly removed: readonly Removal[];
  readonly certificates: Certificates;
  readonly layers: readonly LayerWidth[];
  /** Candidate evaluations: how often the error of the network without one unit was measured. */
  readonly evaluations: number;
  readonly seconds: number;
  /** Largest difference between the written file and the gated original; see {@link Verification}. */
  readonly verified: number;
  /** What rounding explains of that. */
  readonly allowance: number;
  /** Whether the difference is above the allowance, so that the file must not be taken for verified; else left out. */
  readonly inDoubt?: boolean;
  /** Why it stopped, in words. */
  readonly stopped: string;
  /** Axes that were taken to be of some length; left out where none were. */
  readonly assumed?: readonly AssumedLength[];
  /** Left out where nothing was held out. */
  readonly heldOut?: HeldOutPart;
  /** By set of samples; left out without classes. `calibration` is all of it, a held-out part included. */
  readonly answers?: { readonly calibration: Answers; readonly heldOut?: Answers; readonly test?: Answers };
  /** Left out where it was not measured. Never used for a choice. */
  readonly latency?: Latency;
  /** Left out where it was not asked for. The rows of `removed` are the way before it. */
  readonly polish?: Polish;
  /** Where the repair does not reach; left out where it reaches everything. */
  readonly unfitted?: readonly Unfitted[];
  /** What compensation bought: the removals before polish, repaired in different ways. */
  readonly compensationCurves?: readonly CompensationCurve[];
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
  /** Milliseconds of one run of the network at this step, at eighths of a run where latency was measured. */
  readonly latency?: number;
}

export interface CompareRun {
  readonly criterion: string;
  readonly schedule: string;
  readonly compensation: string;
  readonly steps: readonly CompareStep[];
  readonly seconds: number;
  readonly evaluations: number;
}

export interface CompareSummary {
  readonly model: string;
  readonly objective: string;
  readonly baseline: ModelState;
  /** Milliseconds of one run of the original, where latency was measured. */
  readonly latency?: number;
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

/** Parts of the whole, each 0 to 1. */
export interface Shares {
  /** Of all units, those of the model's outputs included. */
  readonly units: number;
  /** Parameters that belong to at least one of the units, of all. */
  readonly parameters: number;
  /** MACs that make or read at least one of the units, of all. */
  readonly macs: number;
}

/** One cause that freezes units. Units that several causes freeze count at each of them. */
export interface Obstacle extends Shares {
  /** In words, without the names of nodes: `ReduceMean averages over this axis`. */
  readonly reason: string;
  /** How many units it freezes. */
  readonly count: number;
  /** What it freezes by itself: what could be cut as well if this were the only thing to change. */
  readonly alone: Shares;
  /** The layers that make them. */
  readonly layers: readonly string[];
}

/** How the time of one run is spread over layers. */
export interface LayerTimes {
  /** Of one run, all layers together. */
  readonly milliseconds: number;
  /** Slowest first. */
  readonly layers: readonly {
    readonly layer: string;
    readonly operator: string;
    readonly milliseconds: number;
    readonly share: number;
  }[];
  /** What the runtime adds of its own, such as changes of layout. */
  readonly other: { readonly milliseconds: number; readonly share: number };
}

export interface InspectSummary {
  /** Only where it was asked for and the runner can tell. */
  readonly latency?: LayerTimes;
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
  /** Which part of the network depends on units that can be removed. */
  readonly removable: Shares;
  /** Why the rest cannot be removed, by cause, the one with most MACs first. */
  readonly obstacles: readonly Obstacle[];
  /** For a drawing. */
  readonly network: NetworkSummary;
  /** Axes that the file leaves open and that were taken to be this long: MACs and shapes depend on it. */
  readonly assumed: readonly AssumedLength[];
}

/** Length of an input's axis that nobody states, and that was taken to be `length`. */
export interface AssumedLength {
  readonly input: string;
  readonly axis: number;
  readonly length: number;
}

/** A layer with what follows it without weights, a place where branches join, an input or an output. */
export interface NetworkBlock {
  /** Of its first node, or of the input or output. */
  readonly name: string;
  readonly kind: "input" | "layer" | "joint" | "output";
  /** In the order of the graph. */
  readonly operators: readonly string[];
  /** Of its first value, for one sample. */
  readonly dims: readonly number[];
  /** Elements of its floating-point weights; weights that several blocks read count in the first. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
  /** The blocks that it reads, by their positions. */
  readonly from: readonly number[];
  /** Ids of the groups whose units run through it. */
  readonly groups: readonly string[];
  /** Why some of its units cannot be removed. */
  readonly frozen: readonly string[];
}

/** The network as a drawing shows it. */
export interface NetworkSummary {
  readonly blocks: readonly NetworkBlock[];
  readonly groups: readonly {
    readonly id: string;
    readonly kind: string;
    readonly size: number;
    readonly layer: string;
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

/** A unit by its group and its position in the group of the original model. */
export interface UnitName {
  readonly group: string;
  readonly unit: number;
  /** Name of the group's root layer. */
  readonly layer: string;
}

/** How a criterion's ranking of the units at one step agrees with the measured one. */
export interface Agreement {
  readonly criterion: string;
  /** Rank correlation, -1 to 1; NaN where a ranking is constant. */
  readonly spearman: number;
  /** Kendall's tau-b, -1 to 1; NaN where a ranking is constant. */
  readonly kendall: number;
  /** Of the least costly units (1, 5 and 10 % of them, at least one): which share is among the criterion's lowest. */
  readonly top: readonly { readonly share: number; readonly count: number; readonly overlap: number }[];
  /** Measured cost of the unit that the criterion would remove, less that of the best one; in units of the error. */
  readonly regret: number;
}

/**
 * What removing one unit costs, what the Taylor criteria say it does, and why they are wrong; all in units of the error,
 * summed over samples. measured = taylor2 + diagonal + truncation.
 */
export interface UnitCost extends UnitName {
  /** Error without the unit - error with it. */
  readonly measured: number;
  /** -E'(1), E as a function of the unit's gain. */
  readonly taylor1: number;
  /** -E'(1) + half the bend of the diagonal recursion. */
  readonly taylor2: number;
  /** Half of E''(1) - half the recursion's bend: what the diagonal leaves out. */
  readonly diagonal: number;
  /** measured - (-E'(1) + half of E''(1)): the error is no parabola in the unit's gain. */
  readonly truncation: number;
}

/** Sums over units of sizes, in units of the error. */
export interface FailureSizes {
  /** Units that were looked at. */
  readonly units: number;
  /** Sum of |measured|. */
  readonly measured: number;
  /** Sum of |measured - taylor2|. */
  readonly failure: number;
  /** Sum of |truncation|. */
  readonly truncation: number;
  /** Sum of |diagonal|. */
  readonly diagonal: number;
}

/** One stage of an oracle run, looked at in full. */
export interface AnalyzedStep extends Quality {
  /** Units removed so far; 0 for the intact network. */
  readonly removed: number;
  /** Units that may still be removed: the ones that are ranked. */
  readonly left: number;
  readonly agreement: readonly Agreement[];
  /** The same of taylor2 with the exact second derivative in place of the recursion's, over the units of `costs`. */
  readonly exactParabola: Omit<Agreement, "criterion">;
  /** The same of the costs measured on the intact network: what only interaction with the units removed since has changed. */
  readonly intactCosts: Omit<Agreement, "criterion">;
  readonly failure: FailureSizes;
  /** Of all units that are left, or of at most 256, evenly over the ranking; ascending by group and unit. */
  readonly costs: readonly UnitCost[];
  /** What the units removed so far cost together: the error - the error of the intact network. */
  readonly joint: number;
  /** The sum of what each of them cost alone, measured on the intact network. */
  readonly alone: number;
}

/** Two units and what removing both costs; costs are changes of the error. */
export interface UnitPair {
  readonly a: UnitName;
  readonly b: UnitName;
  /** Cost of removing a alone, b alone, both. */
  readonly costA: number;
  readonly costB: number;
  readonly cost: number;
  /** cost - costA - costB: below 0 the two cancel each other, above 0 each covers for the other. */
  readonly interaction: number;
}

/** A unit, alone and beside the one that it cancels most. */
export interface Partnership extends UnitName {
  /** Cost of removing it alone. */
  readonly cost: number;
  /** The unit with the lowest interaction with it. */
  readonly partner: UnitName;
  readonly partnerCost: number;
  /** Cost of removing both. */
  readonly pairCost: number;
  /** What it costs once the partner is gone: pairCost - partnerCost. */
  readonly after: number;
}

/** Units that cost less together than the sum of what each costs alone. */
export interface CancellingGroup {
  /** In the order in which they were found; the first two are the pair that it grew from. */
  readonly units: readonly UnitName[];
  /** Cost of removing all. */
  readonly joint: number;
  /** Sum of the costs of removing each alone. */
  readonly parts: number;
  /** Cost after each removal when they go in this order; the last one is `joint`. */
  readonly path: readonly number[];
}

/** What removals of single units cannot see, measured on the intact network. */
export interface Interactions {
  /** The units that were paired, by group, in each from the least to the most costly. */
  readonly units: readonly (UnitName & { readonly cost: number })[];
  /** Removable units of the network. */
  readonly of: number;
  /** Which units were paired, in words. */
  readonly chosen: string;
  /** Interaction of units[i] and units[j], symmetric, 0 on the diagonal; in units of the error. */
  readonly matrix: readonly (readonly number[])[];
  /** Pairs with the lowest interactions, strongest first. */
  readonly cancelling: readonly UnitPair[];
  /** Pairs with the highest interactions, strongest first. */
  readonly covering: readonly UnitPair[];
  /** By unit, from the most to the least costly. */
  readonly partners: readonly Partnership[];
  readonly groups: readonly CancellingGroup[];
  /**
   * Mean sizes per pair of what the sum of two taylor2 estimates gets wrong about removing both: the two truncations, the
   * two diagonals, the interaction.
   */
  readonly failure: { readonly truncation: number; readonly diagonal: number; readonly interaction: number };
}

/** Why an estimate fails, with pictures: a gain curve and the reason for showing it. */
export interface TellingCurve {
  readonly why: string;
  readonly cost: UnitCost;
  readonly curve: GainCurve;
}

export interface AnalyzeSummary {
  readonly model: string;
  readonly objective: string;
  readonly seed: number;
  /** Samples that everything was measured on. */
  readonly samples: number;
  readonly baseline: ModelState;
  readonly layers: CompareSummary["layers"];
  readonly criteria: readonly string[];
  /** How many units the oracle run removed. */
  readonly removed: number;
  readonly steps: readonly AnalyzedStep[];
  /** Left out where fewer than two units can be removed. */
  readonly interactions?: Interactions;
  readonly curves: readonly TellingCurve[];
  readonly evaluations: number;
  readonly seconds: number;
}
