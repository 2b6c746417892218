/** The network's outputs for the data, where it is one question: what comes out in the end. */
import type { Model } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";

/** Of a model of the subject's outputs, by chunk. `samples`: of the chunks that begin before that many; default all. */
export async function outputsOf(
  { objective, runner, chunks }: Subject,
  model: Model,
  samples: number = Number.POSITIVE_INFINITY,
): Promise<Tensor[]> {
  const outputs = [{ name: objective.value }];
  const session = await runner.load(writeModel({ ...model, graph: model.graph.with({ outputs }) }));
  try {
    const result: Tensor[] = [];
    for (const { from, feeds } of chunks) {
      if (from < samples) result.push((await session.run(feeds))[objective.value] as Tensor);
    }
    return result;
  } finally {
    await session.release();
  }
}
