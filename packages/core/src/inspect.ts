/** What can be cut from a model, and what cannot and why. */

import { opsetOf } from "./graph/builder.ts";
import type { ValueInfo } from "./graph/graph.ts";
import type { ProbeOptions } from "./graph/shapes.ts";
import { readModel } from "./onnx/index.ts";
import type { InspectSummary, MemberSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import { sizeAfter } from "./surgery/size.ts";
import { prepare } from "./units/prepare.ts";
import type { OwnedPlace } from "./units/units.ts";

/** Reads a model and finds its groups. `name` is for the summary. */
export async function inspect(
  file: Uint8Array,
  { runner, name = "", ...probe }: ProbeOptions & { readonly runner: Runner; readonly name?: string },
): Promise<InspectSummary> {
  const model = readModel(file);
  const prunable = await prepare(model, runner, probe);
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
