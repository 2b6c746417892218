/**
 * Units under normalisations that average over them. Where nothing but a mean freezes units, the mean is read as sums, and they
 * are units like others; see `graph/unit-means.ts`.
 */
import { opsetOf } from "../graph/builder.ts";
import type { FusedNodes } from "../graph/fused.ts";
import type { Model } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { STORED_AS_IT_IS, type Stored } from "../graph/stored-types.ts";
import { expandMeans } from "../graph/unit-means.ts";
import { AVERAGES, NORMALISES } from "../ops/rule.ts";
import { findUnits, type UnitOptions } from "./find.ts";
import type { Frozen, Units } from "./units.ts";

export interface FoundUnits {
  readonly model: Model;
  readonly shapes: Shapes;
  readonly units: Units;
  readonly options: UnitOptions;
  readonly stored?: Stored;
}

/** Finds the units of a model, and gives it with those means as sums that units are under. */
export function withAveragedUnits(model: Model, shapes: Shapes, { untie, kinds }: UnitOptions): FoundUnits {
  const { graph } = model;
  const opset = opsetOf(model);
  const options = { ...(untie && { untie }), ...(kinds && { kinds }) };
  const plain = findUnits(graph, shapes, opset, options);
  if (!plain.frozen.some(isAveraged)) return { model, shapes, units: plain, options };
  const all = expandMeans(graph, shapes, opset);
  const found = findUnits(all.graph, all.shapes, opset, { ...options, means: all.means });
  const needed = meansOf(found, all.means);
  if (needed.size === 0) return { model, shapes, units: withReasons(plain, found), options };
  const some = expandMeans(graph, shapes, opset, ({ outputs }) => needed.has(outputs[0] ?? ""));
  const own = { ...options, means: some.means };
  return {
    model: { ...model, graph: some.graph },
    shapes: some.shapes,
    units: withReasons(findUnits(some.graph, some.shapes, opset, own), found),
    options: own,
    stored: { ...STORED_AS_IT_IS, means: some.means },
  };
}

const isAveraged = ({ causes }: Frozen): boolean =>
  causes.every((cause) => cause.endsWith(AVERAGES) || cause.endsWith(NORMALISES));

/** The outputs of the means that some unit is under. */
function meansOf({ groups }: Units, means: FusedNodes): ReadonlySet<string> {
  const readers = new Set(groups.flatMap(({ sinks }) => sinks.map(({ node }) => node)));
  return new Set([...means].filter(([, { parts }]) => parts.some((name) => readers.has(name))).map(([name]) => name));
}

/** Units with the reasons that hold where all means are sums: an average alone freezes nothing. */
function withReasons(units: Units, { frozen: others }: Units): Units {
  const frozen = units.frozen.map((own): Frozen => {
    const other = isAveraged(own)
      ? others.find(({ value, axis }) => value === own.value && axis === own.axis)
      : undefined;
    return other ? { ...own, reason: other.reason, causes: other.causes } : own;
  });
  return { ...units, frozen };
}
