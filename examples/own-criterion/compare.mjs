// A criterion is a record. This one asks how much a neuron's output changes from sample to sample: what never changes says nothing.
import { compare, criteria } from "shrinknet";
import { digits } from "../digits.mjs";

/** Weights in times weights out: a neuron that nobody listens to, or that listens to nobody. */
const throughput = {
  ...criteria.magnitude,
  name: "throughput",
  score({ prunable, left }) {
    const scores = new Float64Array(prunable.units.count);
    const weights = [...prunable.model.graph.initializers.values()].filter(({ dims }) => dims.length === 2);
    for (const unit of left) {
      scores[unit] = weights.reduce((product, { dims, numbers }) => {
        const [rows, columns] = dims;
        const isIn = columns === prunable.units.count;
        let sum = 0;
        for (let at = 0; at < (isIn ? rows : columns); at++)
          sum += Math.abs(numbers[isIn ? at * columns + unit : unit * columns + at]);
        return product * sum;
      }, 1);
    }
    return scores;
  },
};

const { file, data } = await digits();
const { runs } = await compare(file, {
  data,
  criteria: ["oracle", "taylor2", "magnitude", throughput],
  budget: { remove: { count: 30 } },
});
for (const { criterion, steps } of runs) {
  const at = (removed) => steps.find((step) => step.removed === removed)?.accuracy ?? Number.NaN;
  console.log(
    `${criterion.padEnd(12)} right after 10, 20, 30 removals: ${[10, 20, 30].map((removed) => `${(100 * at(removed)).toFixed(1)} %`).join(", ")}`,
  );
}
