/** A stage of pruning: which units are gone, and the model without them. */
import type { Model } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { cut, type RemovedUnits } from "../surgery/cut.ts";
import { cutShapes } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace, Sink, Units } from "../units/units.ts";

export interface State {
  readonly removed: RemovedUnits;
  /** The model without the removed units: what surgery would write. */
  readonly model: Model;
  readonly shapes: Shapes;
}

/** The state after the given removals. Model and shapes are made when they are first asked for. */
export function stateOf(prunable: Prunable, removed: RemovedUnits): State {
  const own = removed.slice(); // the caller may go on changing its copy
  let model: Model | undefined;
  let shapes: Shapes | undefined;
  return {
    removed: own,
    get model() {
      model ??= cut(prunable, own);
      return model;
    },
    get shapes() {
      shapes ??= cutShapes(prunable, own);
      return shapes;
    },
  };
}

/** The owners along an axis after the removals: those of the indexes that stay. */
export function ownersLeft(place: Pick<OwnedPlace | Sink, "owners">, removed: RemovedUnits): Int32Array {
  return place.owners.filter((unit) => unit < 0 || !removed[unit]);
}

/** The units that are left, ascending. */
export function unitsLeft(units: Units, removed: RemovedUnits): number[] {
  const left: number[] = [];
  for (let unit = 0; unit < units.count; unit++) if (!removed[unit]) left.push(unit);
  return left;
}
