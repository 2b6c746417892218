/** Gain curves: the error as one unit's output is multiplied by alpha, with the two Taylor estimates beside it. */
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { ShrinkError } from "../errors.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Tensor } from "../graph/tensor.ts";
import { Activations } from "../measure/activations.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { targetInputs, termError } from "../measure/objectives/model-objective.ts";
import { Oracle } from "../measure/oracle.ts";
import { type State, stateOf } from "../measure/state.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { writeModel } from "../onnx/index.ts";
import type { GainCurve } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { groupOf, type Units } from "../units/units.ts";

export interface GainOptions {
  /** Units by number over all groups; see {@link parseUnit}. */
  readonly units: readonly number[];
  /** Gains to measure at. */
  readonly gains: readonly number[];
  /** Units that are already gone; default none. */
  readonly removed?: RemovedUnits;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Measures gain curves of single units, all others at gain 1 (or gone). */
export async function gainCurves(
  evaluator: Evaluator,
  { units: wanted, gains, removed, onProgress }: GainOptions,
): Promise<GainCurve[]> {
  const { prunable } = evaluator;
  const { units } = prunable;
  const state = stateOf(prunable, removed ?? new Uint8Array(units.count));
  const terms = await taylorTerms(evaluator, state, { second: true });
  const oracle = new Oracle(evaluator, new Activations(evaluator, state));
  let gated: GatedErrors | undefined;
  const curves: GainCurve[] = [];
  try {
    for (const unit of wanted) {
      const all = [1, 0, ...gains];
      const tell = (done: number): void => {
        const measured = done - 2; // the first two are not asked for
        if (measured > 0) onProgress?.(curves.length * gains.length + measured, wanted.length * gains.length);
      };
      let errors = await oracle.errorsAtGains(unit, all);
      if (errors) tell(all.length);
      else {
        gated ??= await gatedErrors(evaluator, state);
        errors = await gated.at(unit, all, tell);
      }
      const [baseline = Number.NaN, without = Number.NaN, ...measured] = errors;
      const group = groupOf(units, unit);
      const gradient = terms.gradient[unit] as number;
      curves.push({
        group: group.id,
        unit: unit - group.first,
        layer: group.layer,
        points: gains.map((gain, i) => ({ gain, error: measured[i] as number })),
        baseline,
        tangent: baseline - gradient,
        parabola: baseline - gradient + (terms.curvature[unit] as number) / 2,
        removed: without,
      });
    }
    return curves;
  } finally {
    await gated?.release();
  }
}

/** Errors of any network by whole passes of the gated model, where the loops do not know the tail. */
interface GatedErrors {
  at(unit: number, gains: readonly number[], onDone: (done: number) => void): Promise<Float64Array>;
  release(): Promise<void>;
}

async function gatedErrors(evaluator: Evaluator, { removed }: State): Promise<GatedErrors> {
  const { prunable, runner, terms, chunks, samples } = evaluator;
  const { model, shapes, units } = prunable;
  const gated = gateModel(model, shapes, units);
  const type = realTypeOf(model.graph, shapes);
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: gated.model.graph });
  targetInputs(b, terms);
  const errors = terms.map((term) => termError(b, term, term.value)).reduce((sum, error) => b.add(sum, error));
  const session = await runner.load(writeModel({ ...gated.model, graph: b.graph([errors]) }));
  return {
    async at(unit, gains, onDone) {
      const sums = new Float64Array(gains.length);
      for (const [i, gain] of gains.entries()) {
        const row = Float64Array.from(removed, (gone, other) => (other === unit ? gain : 1 - gone));
        const gainRow = gainsTensor(row, units.count, type);
        for (const chunk of chunks) {
          const result = await session.run({ ...chunk.feeds, ...chunk.targets, [GAINS]: gainRow });
          for (const error of Array.from((result[errors] as Tensor).numbers)) sums[i] = (sums[i] as number) + error;
        }
        onDone(i + 1);
      }
      return sums.map((sum) => sum / samples.size);
    },
    release: () => session.release(),
  };
}

/** The number over all groups of a unit written GROUP:INDEX. Throws an `option` error that lists what there is. */
export function parseUnit(text: string, units: Units): number {
  const at = text.lastIndexOf(":");
  const [id, digits] = [text.slice(0, at), text.slice(at + 1)];
  const index = /^\d+$/.test(digits) ? Number(digits) : -1;
  const group = units.groups.find((candidate) => candidate.id === id);
  if (at > 0 && group && index >= 0 && index < group.size) return group.first + index;
  const known = units.groups.map(({ id: name, size }) => `${name}:0..${size - 1}`).join(", ");
  throw new ShrinkError(
    "option",
    `unit "${text}": not in this model, expected GROUP:INDEX of ${known || "no group: nothing is removable"}`,
  );
}
