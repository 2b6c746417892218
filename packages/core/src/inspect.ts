/** What can be cut from a model, and what cannot and why. */

import type { Dataset } from "./data/dataset.ts";
import { opsetOf } from "./graph/builder.ts";
import type { Model, ValueInfo } from "./graph/graph.ts";
import { layerTimes } from "./latency/layers.ts";
import { networkSummary } from "./network.ts";
import { openModel } from "./open.ts";
import type { InspectSummary, MemberSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import { sizeOfModel } from "./surgery/size.ts";
import { layersInside } from "./units/inside.ts";
import { findObstacles, removableShares } from "./units/obstacles.ts";
import type { PrepareOptions } from "./units/prepare.ts";
import type { OwnedPlace } from "./units/units.ts";

export interface InspectOptions extends Omit<PrepareOptions, "samples"> {
  readonly runner: Runner;
  /** Samples that say how long axes are that the file leaves open. */
  readonly data?: Dataset | undefined;
  /** Whether the summary says which share of the time each layer takes; default false. */
  readonly latency?: boolean | undefined;
  /** For the summary. */
  readonly name?: string;
}

/** Finds the groups of an ONNX file or of a model. Axes that neither it nor the options fix are taken to be 16 long. */
export async function inspect(file: Uint8Array | Model, options: InspectOptions): Promise<InspectSummary> {
  const opened = await openModel(file, { ...options, looksOnly: true });
  const { stored: model, prepared: prunable, assumed } = opened;
  const { units } = prunable;
  const latency = options.latency ? await layerTimes(prunable, options.runner) : undefined;
  return {
    ...(latency && { latency }),
    model: options.name ?? "",
    inputs: model.graph.feeds.map(port),
    outputs: model.graph.outputs.map(port),
    opset: opsetOf(model),
    ...sizeOfModel(model, prunable.shapes),
    units: units.count,
    groups: units.groups.map(({ id, kind, size, layer, places, first }) => ({
      id,
      kind,
      size,
      layer,
      members: membersOf(places, first, size),
    })),
    frozen: [...units.frozen, ...layersInside(prunable).flatMap(({ frozen }) => frozen)].map(
      ({ value, axis, size, reason, layer }) => ({ value, axis, size, reason, layer }),
    ),
    removable: removableShares(prunable),
    obstacles: findObstacles(prunable),
    assumed,
    network: networkSummary(prunable),
  };
}

function port({ name, type, shape }: ValueInfo): InspectSummary["inputs"][number] {
  return { name, type: type ?? "unknown", shape: shape ?? [] };
}

/** What the group holds of initializers. Uses of one that hold the same of it are one member. */
function membersOf(places: readonly OwnedPlace[], first: number, size: number): MemberSummary[] {
  const members = places.filter((place) => place.use).map((place) => member(place, first, size));
  return [...new Map(members.map((one) => [JSON.stringify(one), one])).values()];
}

/** A place as offset, stride and count where it is regular: unit i lies at offset + i * stride. */
function member(place: OwnedPlace, first: number, size: number): MemberSummary {
  const firsts = Array.from({ length: Math.min(2, size) }, (_, i) => place.owners.indexOf(first + i));
  const [offset = 0, second = offset + 1] = firsts;
  const count = place.owners.filter((unit) => unit === first).length;
  const stride = second - offset;
  return {
    initializer: place.value,
    axis: place.axis,
    ...(offset !== 0 && { offset }),
    ...(stride !== 1 && { stride }),
    ...(count !== 1 && { count }),
  };
}
