/** A stage of pruning: which units are gone, and the model without them. */
import type { Model } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { cut } from "../surgery/cut.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { cutShapes } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace, Sink, Units } from "../units/units.ts";
import { withIdle } from "./idle.ts";

export interface State {
  readonly removed: RemovedUnits;
  /** Removed units that the model does not hold any more: all of them, unless some stay idle; see `withIdle`. */
  readonly cut: RemovedUnits;
  /** The model without the removed units: what surgery would write, or as good as that where some stay idle. */
  readonly model: Model;
  /** Of all that this model holds, weights that were cut in several ways included. */
  readonly shapes: Shapes;
}

/**
 * The state after the given removals, with those of them idle that are not in `cutUnits`; default: none. Model and shapes
 * are made when they are first asked for.
 */
export function stateOf(prunable: Prunable, removed: RemovedUnits, cutUnits: RemovedUnits = removed): State {
  const [own, ownCut] = [removed.slice(), cutUnits.slice()]; // the caller may go on changing its copies
  let model: Model | undefined;
  let shapes: Shapes | undefined;
  const modelOf = (): Model => {
    model ??= cut(withIdle(prunable, own, ownCut), ownCut);
    return model;
  };
  return {
    removed: own,
    cut: ownCut,
    get model() {
      return modelOf();
    },
    get shapes() {
      shapes ??= withInitializers(cutShapes(prunable, ownCut), modelOf());
      return shapes;
    },
  };
}

function withInitializers(shapes: Shapes, { graph }: Model): Shapes {
  const all = new Map(shapes);
  for (const [name, { type, dims }] of graph.initializers) all.set(name, { type, dims });
  return all;
}

/** The owners along an axis of a state's model: those of the indexes that stay. */
export function ownersLeft(place: Pick<OwnedPlace | Sink, "owners">, cut: RemovedUnits): Int32Array {
  return place.owners.filter((unit) => unit < 0 || !cut[unit]);
}

/** The units that are left, ascending. */
export function unitsLeft(units: Units, removed: RemovedUnits): number[] {
  const left: number[] = [];
  for (let unit = 0; unit < units.count; unit++) if (!removed[unit]) left.push(unit);
  return left;
}
