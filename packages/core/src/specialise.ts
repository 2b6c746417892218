/**
 * Specialising a model: inputs that are fixed become constants, and an If whose condition is then known gives way to the branch
 * that it takes. What is inside that branch is cut like the rest.
 */
import { ShrinkError } from "./errors.ts";
import { foldByRunning } from "./graph/fold.ts";
import { FreshNames } from "./graph/fresh-names.ts";
import type { Graph, Model, Node } from "./graph/graph.ts";
import { foldConstants, runPasses } from "./graph/passes.ts";
import { isFloat, sizeOf, type Tensor, tensorOf } from "./graph/tensor.ts";
import { bodiesOf } from "./onnx/index.ts";
import type { Runner } from "./runner.ts";

/** Numbers by input name: one for all elements, or one for each. */
export type FixedInputs = Readonly<Record<string, readonly number[]>>;

/**
 * The model with these inputs as constants, and without decided branches. Axes that the file leaves open have length 1. Throws an
 * `option` error for an input that the model does not have, for numbers that are not as many as its elements, and for fractions
 * where it takes integers.
 */
export async function specialise(model: Model, runner: Runner, fix: FixedInputs = {}): Promise<Model> {
  let { graph } = withConstants(model, fix);
  for (;;) {
    const branches = graph.nodes.filter(({ opType, domain }) => opType === "If" && domain === "");
    if (branches.length === 0) return { ...model, graph };
    const conditions = await constantsOf({ ...model, graph }, runner);
    const next = branches.reduce((now, branch) => {
      const condition = conditions.get(branch.inputs[0] ?? "");
      return condition ? (inlined(now, branch, Number(condition.numbers[0]) !== 0) ?? now) : now;
    }, graph);
    if (next === graph) return { ...model, graph };
    graph = next;
  }
}

function withConstants(model: Model, fix: FixedInputs): Model {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  for (const [name, values] of Object.entries(fix)) {
    const input = graph.feeds.find((feed) => feed.name === name);
    if (!input) {
      const known = graph.feeds.map((feed) => feed.name).join(", ");
      throw new ShrinkError("option", `fixed input ${name}: the model has no such input, expected one of ${known}`);
    }
    const dims = (input.shape ?? []).map((dim) => (typeof dim === "number" && dim > 0 ? dim : 1));
    const size = sizeOf(dims);
    if (values.length !== 1 && values.length !== size) {
      throw new ShrinkError(
        "option",
        `fixed input ${name}: ${values.length} numbers, expected ${size === 1 ? "1" : `1 or ${size}`}`,
      );
    }
    const type = input.type ?? "float32";
    const fraction = isFloat(type) ? undefined : values.find((value) => !Number.isSafeInteger(value));
    if (fraction !== undefined) {
      throw new ShrinkError(
        "option",
        `fixed input ${name}: ${fraction} for an input of type ${type}, expected an integer`,
      );
    }
    const all = values.length === size ? values : Array.from({ length: size }, () => values[0] as number);
    initializers.set(name, tensorOf(type, all, dims));
  }
  const inputs = graph.inputs.filter(({ name }) => !(name in fix));
  return Object.keys(fix).length === 0 ? model : { ...model, graph: graph.with({ inputs, initializers }) };
}

/** What is known before anything is fed. */
async function constantsOf(model: Model, runner: Runner): Promise<ReadonlyMap<string, Tensor>> {
  const simple = { ...model, graph: runPasses(model.graph, [foldConstants]) };
  return (await foldByRunning(simple, runner)).graph.initializers;
}

/** The graph with one branch of an If in its place; undefined where names of the branch are taken, or its body cannot be read. */
function inlined(graph: Graph, branch: Node, isTrue: boolean): Graph | undefined {
  const names = Object.entries(branch.attributes).flatMap(([name, { kind }]) => (kind === "graph" ? [name] : []));
  const body = bodiesOf(branch)[names.indexOf(isTrue ? "then_branch" : "else_branch")];
  if (!body) return undefined;
  const own = [...body.initializers.keys(), ...body.nodes.flatMap(({ outputs }) => outputs)].filter(
    (name) => name !== "",
  );
  const rest = graph.with({ nodes: graph.nodes.filter((node) => node !== branch) });
  const taken = new Set([
    ...rest.initializers.keys(),
    ...rest.inputs.map(({ name }) => name),
    ...rest.nodes.flatMap(({ outputs }) => outputs),
  ]);
  if (own.some((name) => taken.has(name))) return undefined;
  const fresh = new FreshNames(rest);
  const named = body.nodes.map((node) => ({ ...node, name: node.name === "" ? "" : fresh.fresh(node.name) }));
  const results = branch.outputs.flatMap((output, at): Node[] => {
    const result = body.outputs[at]?.name;
    if (output === "" || result === undefined) return [];
    return [
      {
        name: fresh.fresh(`${output}/branch`),
        opType: "Identity",
        domain: "",
        inputs: [result],
        outputs: [output],
        attributes: {},
      },
    ];
  });
  const nodes = graph.nodes.flatMap((node) => (node === branch ? [...named, ...results] : [node]));
  return graph.with({
    nodes,
    initializers: new Map([...graph.initializers, ...body.initializers]),
    valueInfo: new Map([...graph.valueInfo, ...body.valueInfo]),
  });
}
