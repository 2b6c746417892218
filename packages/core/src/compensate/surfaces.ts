/** The error surfaces of all consumers that read units. */
import type { Activations } from "../measure/activations.ts";
import { nodeId } from "../units/places.ts";
import type { Sink, Units } from "../units/units.ts";
import type { Algebra } from "./algebra.ts";
import type { Compensator, KnownMoments } from "./compensator.ts";
import type { ConsumerFamily } from "./consumers.ts";
import { FittedSurface } from "./fitted-surface.ts";
import { FixedSurface } from "./fixed-surface.ts";
import type { Moments } from "./ridge.ts";
import type { Surface } from "./surface.ts";

/** Between repairs units are eliminated from what is known, so that it is not inverted anew. */
const surfaces = new WeakMap<KnownMoments, Surface>();

/** The surfaces of all consumers that read units, at the stage of the activations. */
export async function surfacesOf(compensator: Compensator, activations: Activations): Promise<Surface[]> {
  const result: Surface[] = [];
  for (const family of compensator.families) {
    const sink = sinkOf(family, compensator.prunable.units);
    const known = sink && (await compensator.momentsOf(family, activations));
    if (!known) continue;
    const surface = await surfaceOf(known, sink, compensator.algebra);
    await surface.eliminate(activations.state.removed);
    result.push(surface);
  }
  return result;
}

/** Where consumers of one family read units; undefined: nowhere. */
export function sinkOf([first]: ConsumerFamily, { groups }: Units): Sink | undefined {
  for (const { sinks } of groups) {
    const sink = first && sinks.find(({ node }) => node === nodeId(first.node));
    if (sink) return sink;
  }
  return undefined;
}

/** The surface of what is known of a family; units that have gone since may still be there. */
export async function surfaceOf(known: KnownMoments, sink: Sink, algebra: Algebra): Promise<Surface> {
  const found = surfaces.get(known);
  if (found) return found;
  const byUnit = featuresByUnit(known, sink);
  const [layer] = known.family.layers;
  const kind = layer.consumer.fixed === undefined ? FittedSurface : FixedSurface;
  const surface = await kind.of(known, byUnit, algebra);
  surfaces.set(known, surface);
  known.moments = known.moments.map(withoutProducts);
  return surface;
}

/** They are as large as the surface itself. */
function withoutProducts(moments: Moments): Moments {
  const none = new Float64Array();
  return { ...moments, xx: none, xz: none };
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
