/** The network's outputs for the samples, where it is one question: what comes out in the end. */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Graph, Model } from "../graph/graph.ts";
import { weightsAsInputs } from "../graph/pieces.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { samplesFirst } from "../measure/objectives/layout.ts";
import { writeModel } from "../onnx/index.ts";

/** By output term, [samples, ...dims] in the type that errors are computed in. */
export type Outputs = readonly Tensor[];

/** What a model gives for the values that are compared, by chunk. `samples`: of the chunks that begin before that many; default all. */
export async function outputsOf(
  { terms, runner, chunks, type }: Evaluator,
  model: Model,
  samples: number = Number.POSITIVE_INFINITY,
): Promise<Outputs[]> {
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: model.graph });
  const names = terms.map(({ value, layout }) => samplesFirst(b, value, layout));
  const { graph, weights } = weightsAsInputs(b.graph([...new Set(names)]), largeMatrices(model.graph));
  const session = await runner.load(writeModel({ ...model, graph }));
  try {
    const result: Outputs[] = [];
    for (const { from, feeds } of chunks) {
      if (from >= samples) continue;
      const values = await session.run({ ...feeds, ...weights });
      result.push(names.map((name) => values[name] as Tensor));
    }
    return result;
  } finally {
    await session.release();
  }
}

/** Smaller matrices are quickly loaded. */
const LARGE_BYTES = 2 ** 20;

/** Which weights are fed, so that a model that runs for few samples is not written and read with them: matrices of products. */
function largeMatrices(graph: Graph): (name: string, tensor: Tensor) => boolean {
  return (name, { byteLength }) => {
    const { uses = [] } = graph.value(name) ?? {};
    return byteLength >= LARGE_BYTES && uses.every(({ node }) => node.opType === "MatMul" || node.opType === "Gemm");
  };
}
