/**
 * Surgery: a model without some of its units. Every initializer that holds slices of them is sliced, attributes and
 * shape constants follow by the operators' rules, everything else is shared with the original, which is never changed.
 */
import { opsetOf } from "../graph/builder.ts";
import { FreshNames } from "../graph/fresh-names.ts";
import type { Graph, Model, Node, ValueInfo } from "../graph/graph.ts";
import { constantOf, dimsOf, type Shapes } from "../graph/shapes.ts";
import { int64, sizeOf, type Tensor, take } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import type { Cut } from "../ops/rule.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { hasPlacePerUse } from "../units/tables.ts";
import type { Units } from "../units/units.ts";
import { withoutBranches } from "./bypass.ts";
import { followersOf } from "./follows.ts";
import { keptIndexes, type RemovedUnits } from "./kept.ts";

/** The model without the removed units. Node names, value names and their order stay. */
export function cut(prunable: Prunable, removed: RemovedUnits): Model {
  const { model, shapes, units } = prunable;
  if (!removed.includes(1)) return model;
  const { graph } = model;
  const opset = opsetOf(model);
  const slices = new SlicedInitializers(graph);
  const follows = followersOf(prunable, removed);
  const nodes = graph.nodes.flatMap((node) => {
    const id = nodeId(node);
    const key = (side: "input" | "output", slot: number, axis: number): string => {
      const value = (side === "input" ? node.inputs : node.outputs)[slot] as string;
      const isOfUse = side === "input" && hasPlacePerUse(graph, value);
      return isOfUse ? placeKey(value, axis, { node: id, slot }) : placeKey(value, axis);
    };
    const context: Cut = {
      node,
      opset,
      dims: (side, slot = 0) => dimsOf(shapes, (side === "input" ? node.inputs : node.outputs)[slot] as string),
      kept: (side, slot, axis) => keptIndexes(units.places, key(side, slot, axis), removed),
      left: (side, slot, axis) => {
        const at = key(side, slot, axis);
        const place = units.places.get(at) ?? units.frozenPlaces.get(at);
        return place && (context.kept(side, slot, axis)?.length ?? place.length);
      },
      followsCut: (slot, at) => {
        const name = node.inputs[slot] as string;
        const part = at === undefined ? name : partAt(graph, shapes, name, at);
        return part !== undefined && follows(part);
      },
      grows: (output, axis) => shapes.get(node.outputs[output] as string)?.batchAxis === axis,
      constant: (slot) => constantOf(graph, shapes, node.inputs[slot]),
    };
    const result = ruleFor(node)?.cut?.(context) ?? {};
    const picks: Node[] = [];
    const inputs = node.inputs.map((name, slot) => {
      if (!hasPlacePerUse(graph, name)) return name;
      const kept = context.dims("input", slot).map((_, axis) => context.kept("input", slot, axis));
      if (graph.initializers.has(name)) return slices.use(name, kept, result.constants?.get(slot));
      return kept.reduce<string>((value, indexes, axis) => {
        if (!indexes) return value;
        const pick = pickIndexes(value, axis, indexes, slices, `${id}/${slot}/${axis}`);
        picks.push(pick);
        return nodeId(pick);
      }, name);
    });
    for (const [slot, tensor] of result.constants ?? []) {
      if (!graph.initializers.has(node.inputs[slot] ?? "")) inputs[slot] = slices.add(`${id}/cut`, tensor);
    }
    const targets = [...(result.lengths ?? [])].flatMap(([slot, lengths]) => {
      const { shape, nodes: patch } = patchShape(
        node.inputs[slot] as string,
        withOneRest(lengths, node.inputs[slot] as string, graph, (axis) => {
          return context.left("output", 0, axis) ?? context.dims("output")[axis];
        }),
        dimsOf(shapes, node.inputs[slot] as string)[0] as number,
        slices,
        id,
      );
      inputs[slot] = shape;
      return patch;
    });
    const changed = result.node ?? node;
    const same = inputs.length === changed.inputs.length && inputs.every((name, slot) => name === changed.inputs[slot]);
    return [...picks, ...targets, same ? changed : { ...changed, inputs }];
  });
  const info = (value: ValueInfo): ValueInfo => cutInfo(value, shapes, units, removed);
  const left = graph.with({
    nodes,
    initializers: slices.result(),
    inputs: graph.inputs.map((input) => slices.info(input)),
    valueInfo: new Map([...graph.valueInfo].map(([name, value]) => [name, info(value)])),
  });
  return { ...model, graph: withoutBranches(left, units.groups, removed) };
}

/** What a list of lengths takes its element `at` from, as far as it is put together of single ones. */
function partAt(graph: Graph, shapes: Shapes, list: string, at: number): string | undefined {
  const maker = graph.value(list)?.producer;
  const isOfSingle = maker?.opType === "Concat" && maker.inputs.every((name) => sizeOf(dimsOf(shapes, name)) === 1);
  return isOfSingle ? maker.inputs[at] : undefined;
}

/** A node that takes some indexes of a table, which is computed whole. */
function pickIndexes(
  value: string,
  axis: number,
  indexes: readonly number[],
  slices: SlicedInitializers,
  hint: string,
): Node {
  const kept = slices.add(`${hint}/kept`, int64(indexes));
  const name = slices.freshName(hint);
  return {
    name,
    opType: "Gather",
    domain: "",
    inputs: [value, kept],
    outputs: [name],
    attributes: { axis: { kind: "int", value: axis } },
  };
}

/** The lengths with a number in place of a -1 that the target has itself, where another axis takes what is left. */
function withOneRest(
  lengths: ReadonlyMap<number, number>,
  target: string,
  graph: Graph,
  lengthOf: (axis: number) => number | undefined,
): ReadonlyMap<number, number> {
  if (![...lengths.values()].includes(-1)) return lengths;
  const maker = graph.value(target)?.producer;
  const parts = maker?.opType === "Concat" ? maker.inputs : [];
  const all = new Map(lengths);
  let axis = 0;
  for (const part of parts) {
    const stored = graph.initializers.get(part);
    for (const [at, length] of Array.from(stored?.numbers ?? [0]).entries()) {
      const own = length === -1 && !all.has(axis + at) ? lengthOf(axis + at) : undefined;
      if (own !== undefined) all.set(axis + at, own);
    }
    axis += stored?.size ?? 1;
  }
  return all;
}

/** Replaces some lengths of a computed shape and leaves the others to the graph: shape * isLeft + lengths. */
function patchShape(
  shape: string,
  lengths: ReadonlyMap<number, number>,
  rank: number,
  slices: SlicedInitializers,
  id: string,
): { readonly shape: string; readonly nodes: readonly Node[] } {
  const at = Array.from({ length: rank }, (_, axis) => axis);
  const isLeft = slices.add(`${id}/isLeft`, int64(at.map((axis) => (lengths.has(axis) ? 0 : 1))));
  const values = slices.add(`${id}/lengths`, int64(at.map((axis) => lengths.get(axis) ?? 0)));
  const [left, patched] = [slices.freshName(`${id}/left`), slices.freshName(`${id}/shape`)];
  const op = (opType: string, inputs: readonly string[], output: string): Node => {
    return { name: output, opType, domain: "", inputs, outputs: [output], attributes: {} };
  };
  // not Where, which opset 9 brought
  return { shape: patched, nodes: [op("Mul", [shape, isLeft], left), op("Add", [left, values], patched)] };
}

/** Cuts each initializer once for all uses that agree, and makes a further copy for each use that does not. */
class SlicedInitializers {
  readonly #freshNames: FreshNames;
  readonly #original: ReadonlyMap<string, Tensor>;
  /** New names by original name and what was kept. */
  readonly #names = new Map<string, string>();
  readonly #made = new Map<string, Tensor>();

  constructor(graph: Graph) {
    this.#freshNames = new FreshNames(graph);
    this.#original = graph.initializers;
    // what is read where no rule can follow stays as it is
    for (const name of outerReads(graph)) if (this.#original.has(name)) this.use(name, []);
  }

  /** The name under which this use finds its slices. */
  use(name: string, kept: readonly (readonly number[] | undefined)[], replacement?: Tensor): string {
    const isWhole = kept.every((indexes) => indexes === undefined) && !replacement;
    const key = isWhole ? name : `${name} ${replacement?.numbers} ${kept.map((indexes) => indexes ?? "all").join("|")}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const fresh = this.#made.has(name) ? this.freshName(name) : name;
    let tensor = replacement ?? (this.#original.get(name) as Tensor);
    kept.forEach((indexes, axis) => {
      if (indexes) tensor = take(tensor, axis, indexes);
    });
    this.#names.set(key, fresh);
    this.#made.set(fresh, tensor);
    return fresh;
  }

  /** Stores a further tensor and returns its name. */
  add(hint: string, tensor: Tensor): string {
    const fresh = this.freshName(hint);
    this.#made.set(fresh, tensor);
    return fresh;
  }

  /** A name that nothing in the new graph has. */
  freshName(hint: string): string {
    return this.#freshNames.fresh(hint);
  }

  /** All initializers of the new graph: the original's order, then further copies. */
  result(): Map<string, Tensor> {
    const made = this.#made;
    const order = [...this.#original.keys()].filter((name) => made.has(name));
    const copies = [...made.keys()].filter((name) => !this.#original.has(name));
    return new Map([...order, ...copies].map((name) => [name, made.get(name) as Tensor]));
  }

  /** Files up to IR 3 list initializers as inputs too, with their shapes. */
  info(input: ValueInfo): ValueInfo {
    const tensor = this.#made.get(input.name);
    return tensor && this.#original.has(input.name) ? { ...input, shape: tensor.dims } : input;
  }
}

/** Values that are read outside the nodes' input lists: graph outputs, and what control-flow bodies capture. */
function outerReads(graph: Graph): string[] {
  const bodies = graph.nodes.flatMap((node) => Object.values(node.attributes));
  const captured = bodies.flatMap((attribute) => (attribute.kind === "graph" ? attribute.value : []));
  return [...graph.outputs.map((output) => output.name), ...captured];
}

function cutInfo(info: ValueInfo, shapes: Shapes, units: Units, removed: RemovedUnits): ValueInfo {
  if (!info.shape || !shapes.has(info.name)) return info;
  const kept = info.shape.map((_, axis) => keptIndexes(units.places, placeKey(info.name, axis), removed));
  if (kept.every((indexes) => indexes === undefined)) return info;
  return {
    ...info,
    shape: info.shape.map((dim, axis) => (typeof dim === "number" && kept[axis] ? kept[axis].length : dim)),
  };
}
