/** What can be cut from a model, and what cannot and why. */

import { opsetOf } from "./graph/builder.ts";
import type { Model, ValueInfo } from "./graph/graph.ts";
import { freeAxes, type ProbeOptions } from "./graph/made-up.ts";
import { networkSummary } from "./network.ts";
import { readModel } from "./onnx/index.ts";
import type { InspectSummary, MemberSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import { sizeAfter } from "./surgery/size.ts";
import { findObstacles, removableShares } from "./units/obstacles.ts";
import { prepare } from "./units/prepare.ts";
import type { OwnedPlace } from "./units/units.ts";

/** Length of axes that nobody states: of a sequence, mostly. What can be cut does not hang on it, MACs do. */
const FREE_LENGTH = 16;

export interface InspectOptions extends ProbeOptions {
  readonly runner: Runner;
  /** For the summary. */
  readonly name?: string;
}

/** Finds the groups of an ONNX file or of a model. Axes that neither it nor the options fix are taken to be 16 long. */
export async function inspect(
  file: Uint8Array | Model,
  { runner, ...options }: InspectOptions,
): Promise<InspectSummary> {
  const model = file instanceof Uint8Array ? readModel(file) : file;
  const { name = "", shapes = {}, freeLength = FREE_LENGTH } = options;
  const prunable = await prepare(model, runner, { shapes, freeLength }).catch((error: unknown) => {
    const guessed = model.graph.feeds.some((input) => !shapes[input.name] && freeAxes(input).length > 0);
    if (!guessed) throw error;
    return prepare(model, runner, { shapes }); // the guess does not fit: say which length is missing
  });
  const { units } = prunable;
  return {
    model: name,
    inputs: model.graph.feeds.map(port),
    outputs: model.graph.outputs.map(port),
    opset: opsetOf(model),
    ...sizeAfter(prunable, new Uint8Array(units.count)),
    units: units.count,
    groups: units.groups.map(({ id, kind, size, layer, places, first }) => ({
      id,
      kind,
      size,
      layer,
      members: places.filter((place) => place.use).map((place) => member(place, first, size)),
    })),
    frozen: units.frozen.map(({ value, axis, size, reason, layer }) => ({ value, axis, size, reason, layer })),
    removable: removableShares(prunable),
    obstacles: findObstacles(prunable),
    assumed: model.graph.feeds
      .filter((input) => !shapes[input.name])
      .flatMap((input) => freeAxes(input).map((axis) => ({ input: input.name, axis, length: freeLength }))),
    network: networkSummary(prunable),
  };
}

function port({ name, type, shape }: ValueInfo): InspectSummary["inputs"][number] {
  return { name, type: type ?? "unknown", shape: shape ?? [] };
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
