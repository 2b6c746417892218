/** The error surfaces of all consumers that read units. */
import type { Activations } from "../measure/activations.ts";
import { nodeId } from "../units/places.ts";
import type { Sink } from "../units/units.ts";
import type { Algebra } from "./algebra.ts";
import type { Compensator, KnownMoments } from "./compensator.ts";
import { FittedSurface } from "./fitted-surface.ts";
import { FixedSurface } from "./fixed-surface.ts";
import type { Surface } from "./surface.ts";

/** Between repairs units are eliminated from what is known, so that it is not inverted anew. */
const surfaces = new WeakMap<KnownMoments, Surface>();

/** The surfaces of all consumers that read units, at the stage of the activations. */
export async function surfacesOf(compensator: Compensator, activations: Activations): Promise<Surface[]> {
  const sinks = compensator.prunable.units.groups.flatMap((group) => group.sinks);
  const result: Surface[] = [];
  for (const family of compensator.families) {
    const [first] = family;
    const sink = first && sinks.find(({ node }) => node === nodeId(first.node));
    const known = sink && (await compensator.momentsOf(family, activations));
    if (!known) continue;
    const surface = surfaces.get(known) ?? (await surfaceOf(known, sink, compensator.algebra));
    surfaces.set(known, surface);
    await surface.eliminate(activations.state.removed);
    result.push(surface);
  }
  return result;
}

function surfaceOf(known: KnownMoments, sink: Sink, algebra: Algebra): Promise<Surface> {
  const byUnit = featuresByUnit(known, sink);
  const [layer] = known.family.layers;
  const kind = layer.consumer.fixed === undefined ? FittedSurface : FixedSurface;
  return kind.of(known, byUnit, algebra);
}

/** Features of each unit that is left; `sink` says whose they are. */
function featuresByUnit({ family }: KnownMoments, sink: Sink): Map<number, readonly number[]> {
  const [{ features, regression, keptInputs }] = family.layers;
  const { span } = regression;
  const byUnit = new Map<number, number[]>();
  const inputs = keptInputs ?? Array.from({ length: features / span }, (_, i) => i);
  for (const [place, index] of inputs.entries()) {
    const unit = sink.owners[index] as number;
    if (unit < 0) continue;
    const own = byUnit.get(unit) ?? [];
    for (let f = 0; f < span; f++) own.push(place * span + f);
    byUnit.set(unit, own);
  }
  return byUnit;
}
