/**
 * A probe run: the model runs on some feeds, and what comes out is the shape of each inner value that is real, so that large
 * activations need not be kept, and all other tensors as they are.
 */

import type { Runner } from "../runner.ts";
import { FreshNames } from "./fresh-names.ts";
import type { Model, Node } from "./graph.ts";
import { runInPieces, type Values } from "./pieces.ts";
import type { ElementType, Tensor } from "./tensor.ts";
import { valueKinds } from "./value-kinds.ts";

/** What a run tells about a value. */
export interface ProbedValue {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Left out for reals. */
  readonly value: Tensor | undefined;
}

/** What a run gave: every tensor that nodes compute, by name, and the model's outputs with their elements. */
export interface ProbeRun {
  readonly values: ReadonlyMap<string, ProbedValue>;
  readonly outputs: Values;
}

/**
 * Runs the model on each of the feeds. A feed that the runtime refuses gives its refusal in place of a run. Rejects where the
 * runtime cannot load the model.
 *
 * Sequences, optionals, maps and strings are left out. Where it is not known what a value holds and the runtime cannot hand it
 * out, only values that are tensors for sure are looked at.
 */
export async function probeRun(model: Model, runner: Runner, feeds: readonly Values[]): Promise<(ProbeRun | Error)[]> {
  const { graph } = model;
  const { reals, others } = valueKinds(graph);
  const made = [...new Set(graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== "")))];
  const all = made.filter((name) => !others.has(name));
  const sure = all.filter((name) => reals.has(name));
  const runs = await runExposed(model, runner, feeds, all, reals).catch((refusal: Error) => refusal);
  if (!(runs instanceof Error) && runs.some((run) => !(run instanceof Error))) return runs;
  if (sure.length < all.length) {
    const again = await runExposed(model, runner, feeds, sure, reals).catch((refusal: Error) => refusal);
    if (!(again instanceof Error) && again.some((run) => !(run instanceof Error))) return again;
  }
  if (runs instanceof Error) throw runs;
  return runs;
}

async function runExposed(
  model: Model,
  runner: Runner,
  feeds: readonly Values[],
  exposed: readonly string[],
  reals: ReadonlyMap<string, ElementType>,
): Promise<(ProbeRun | Error)[]> {
  const { graph } = model;
  const { others } = valueKinds(graph);
  const wanted = new Set(exposed);
  const names = new FreshNames(graph);
  const shapeOf = new Map<string, string>(); // by real value, the name of its shape
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const own = node.outputs.filter((name) => wanted.has(name) && reals.has(name) && !shapeOf.has(name));
    for (const name of own) shapeOf.set(name, names.fresh(`${name}/shape`));
    return [node, ...own.map((name) => shapeNode(name, shapeOf.get(name) as string))];
  });
  const ends = graph.outputs.filter(({ name }) => !others.has(name)).map(({ name }) => name);
  const fetched = new Set([...exposed.map((name) => shapeOf.get(name) ?? name), ...ends]);
  const outputs = [...fetched].map((name) => ({ name }));
  const outcomes = await runInPieces(
    { ...model, graph: graph.with({ nodes, outputs, valueInfo: new Map() }) },
    runner,
    feeds,
  );
  return outcomes.map((run) => {
    if (run instanceof Error) return run;
    const probed = exposed.map((name): [string, ProbedValue] => {
      const shape = shapeOf.get(name);
      if (shape === undefined) {
        const value = run[name] as Tensor;
        return [name, { type: value.type, dims: value.dims, value }];
      }
      const dims = Array.from((run[shape] as Tensor).numbers);
      return [name, { type: reals.get(name) as ElementType, dims, value: undefined }];
    });
    return { values: new Map(probed), outputs: Object.fromEntries(ends.map((name) => [name, run[name] as Tensor])) };
  });
}

function shapeNode(value: string, name: string): Node {
  return { name, opType: "Shape", domain: "", inputs: [value], outputs: [name], attributes: {} };
}
