import { sizeOf, type Tensor } from "../../graph/tensor.ts";
import { targetsOf } from "./answers.ts";
import { innerAxes, type Objective } from "./objective.ts";

/** Sum of squared errors: E = 1/2 sum_i (o_i - t_i)^2; dE/do = o - t, d2E/do2 = 1. Wolfe et al. 2017. */
export const sse: Objective = {
  name: "sse",
  needsAnswers: true,
  suits: ({ answers, lastOperator }) =>
    answers !== undefined && (answers.type !== "int32" || lastOperator === "Sigmoid"),
  bind(output) {
    const targets = targetsOf(output);
    return {
      targets,
      scale: varianceSum(targets) / 2,
      error(b, value, target) {
        return b.mul(b.scalar(0.5), b.sum(b.square(b.sub(value, target)), innerAxes(output)));
      },
      derivatives(b, value, target) {
        return { gradient: b.sub(value, target), curvature: b.op("Exp", [b.sub(value, value)]) };
      },
      ...(output.dims.length === 1 && {
        loop: { kind: "squares", weights: new Float64Array(sizeOf(output.dims)).fill(0.5) } as const,
      }),
    };
  },
};

/** Sum over elements of their variance over samples. */
function varianceSum(targets: Tensor): number {
  const [count = 1] = targets.dims;
  const width = targets.size / count;
  const values = targets.numbers;
  let total = 0;
  for (let i = 0; i < width; i++) {
    let [sum, squares] = [0, 0];
    for (let at = i; at < values.length; at += width) {
      sum += values[at] as number;
      squares += (values[at] as number) ** 2;
    }
    total += Math.max(0, squares / count - (sum / count) ** 2);
  }
  return total;
}
