/** Gain curves: the error as one unit's output is multiplied by alpha, with the two Taylor estimates beside it. */
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { ShrinkError } from "../errors.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Tensor } from "../graph/tensor.ts";
import { TARGET } from "../measure/objective.ts";
import { stateOf } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { writeModel } from "../onnx/index.ts";
import type { GainCurve } from "../results.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
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
  subject: Subject,
  { units: wanted, gains, removed, onProgress }: GainOptions,
): Promise<GainCurve[]> {
  const { prunable, runner } = subject;
  const { units } = prunable;
  const base = Float64Array.from({ length: units.count }, (_, unit) => (removed?.[unit] ? 0 : 1));
  const terms = await taylorTerms(subject, stateOf(prunable, removed ?? new Uint8Array(units.count)), true);
  const gated = gateModel(prunable.model, prunable.shapes, units);
  const type = realTypeOf(prunable.model.graph, prunable.shapes);
  const b = new GraphBuilder({ opset: opsetOf(prunable.model), real: type, base: gated.model.graph });
  b.input(TARGET, subject.targets.type);
  const errors = subject.objective.error(b, subject.objective.value, TARGET);
  const session = await runner.load(writeModel({ ...gated.model, graph: b.graph([errors]) }));
  const errorAt = async (unit: number, gain: number): Promise<number> => {
    const row = base.slice();
    if (unit >= 0) row[unit] = gain;
    const gainRow = gainsTensor(row, units.count, type);
    let sum = 0;
    for (const { feeds, targets } of subject.chunks) {
      const result = await session.run({ ...feeds, [TARGET]: targets, [GAINS]: gainRow });
      for (const error of Array.from((result[errors] as Tensor).numbers)) sum += error;
    }
    return sum;
  };
  try {
    const baseline = await errorAt(-1, 1);
    const curves: GainCurve[] = [];
    for (const unit of wanted) {
      const group = groupOf(units, unit);
      const points: { gain: number; error: number }[] = [];
      for (const gain of gains) {
        points.push({ gain, error: await errorAt(unit, gain) });
        onProgress?.(curves.length * gains.length + points.length, wanted.length * gains.length);
      }
      const slope = terms.slope[unit] as number;
      curves.push({
        group: group.id,
        unit: unit - group.first,
        layer: group.layer,
        points,
        baseline,
        tangent: baseline - slope,
        parabola: baseline - slope + (terms.bend[unit] as number) / 2,
        removed: await errorAt(unit, 0),
      });
    }
    return curves;
  } finally {
    await session.release();
  }
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
