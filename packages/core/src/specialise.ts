/**
 * Specialising a model: inputs that are fixed become constants, and an If whose condition is then known gives way to the branch
 * that it takes. What is inside that branch is cut like the rest.
 */
import { ShrinkError } from "./errors.ts";
import { foldByRunning } from "./graph/fold.ts";
import { FreshNames } from "./graph/fresh-names.ts";
import type { Graph, Model, Node, ValueInfo } from "./graph/graph.ts";
import { foldConstants, removeDead, runPasses } from "./graph/passes.ts";
import { isFloat, sizeOf, type Tensor, tensorOf } from "./graph/tensor.ts";
import { bodiesOf, writeModel } from "./onnx/index.ts";
import type { Runner } from "./runner.ts";

/** By input name: numbers, one for all elements or one for each, that make it a constant; or the only dims that it is going to have. */
export type FixedInputs = Readonly<Record<string, readonly number[] | { readonly dims: readonly number[] }>>;

/**
 * The model with these inputs as constants or of these dims, and without decided branches. Axes that the file leaves open have length 1. Throws an
 * `option` error for an input that the model does not have, for numbers that are not as many as its elements, and for fractions
 * where it takes integers.
 */
export async function specialise(model: Model, runner: Runner, fix: FixedInputs = {}): Promise<Model> {
  let { graph } = withConstants(model, fix);
  for (;;) {
    const branches = graph.nodes.filter(({ opType, domain }) => opType === "If" && domain === "");
    if (branches.length === 0) return { ...model, graph };
    const now = { ...model, graph };
    const conditions = new Map([
      ...(await constantsOf(now, runner)),
      ...(await shapeConditions(now, branches, runner)),
    ]);
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
  const shapes = new Map<string, readonly number[]>();
  for (const [name, values] of Object.entries(fix)) {
    const input = graph.feeds.find((feed) => feed.name === name);
    if (!input) {
      const known = graph.feeds.map((feed) => feed.name).join(", ");
      throw new ShrinkError("option", `fixed input ${name}: the model has no such input, expected one of ${known}`);
    }
    if (!isNumbers(values)) {
      shapes.set(name, dimsOf(input, values.dims));
      continue;
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
  const inputs = graph.inputs.flatMap((input) => {
    const shape = shapes.get(input.name);
    return shape ? [{ ...input, shape }] : input.name in fix ? [] : [input];
  });
  return Object.keys(fix).length === 0 ? model : { ...model, graph: graph.with({ inputs, initializers }) };
}

const isNumbers = (value: FixedInputs[string]): value is readonly number[] => Array.isArray(value);

/** Throws an `option` error where dims are not those that the file states. */
function dimsOf({ name, shape = [] }: ValueInfo, dims: readonly number[]): readonly number[] {
  const fits =
    shape.length === dims.length &&
    shape.every((dim, axis) => typeof dim !== "number" || dim <= 0 || dim === dims[axis]);
  if (fits || shape.length === 0) return dims;
  throw new ShrinkError(
    "option",
    `fixed input ${name}: dims ${dims.join("x")}, expected ${shape.map((dim) => dim ?? "?").join("x")}`,
  );
}

/** Conditions that only lengths decide, where every input has the only dims that it can have: the model is run up to them on zeros. */
async function shapeConditions(
  model: Model,
  branches: readonly Node[],
  runner: Runner,
): Promise<ReadonlyMap<string, Tensor>> {
  const { graph } = model;
  const isStatic = graph.feeds.every(({ shape }) => shape?.every((dim) => typeof dim === "number" && dim > 0));
  const names = [...new Set(branches.flatMap(({ inputs }) => inputs.slice(0, 1)))].filter((name) =>
    isOfLengths(graph, name),
  );
  if (!isStatic || names.length === 0) return new Map();
  const outputs = names.map((name) => ({ name, type: "bool" as const, shape: undefined }));
  const part = removeDead.run(graph.with({ outputs })).graph;
  const session = await runner.load(writeModel({ ...model, graph: part }));
  try {
    const feeds = part.feeds.map(({ name, type = "float32", shape = [] }) => {
      const dims = shape as readonly number[];
      return [
        name,
        tensorOf(
          type,
          Array.from({ length: sizeOf(dims) }, () => 0),
          dims,
        ),
      ] as const;
    });
    return new Map(Object.entries(await session.run(Object.fromEntries(feeds), names)));
  } finally {
    await session.release();
  }
}

/** Whether a value comes from lengths of others and from constants alone. */
function isOfLengths(graph: Graph, name: string): boolean {
  if (graph.initializers.has(name)) return true;
  const maker = graph.value(name)?.producer;
  if (!maker) return false;
  if (maker.opType === "Shape" || maker.opType === "Size") return true;
  const hasBody = Object.values(maker.attributes).some(({ kind }) => kind === "graph");
  return !hasBody && maker.inputs.every((input) => input === "" || isOfLengths(graph, input));
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
