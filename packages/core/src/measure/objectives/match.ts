import { sizeOf, type Tensor, tensorOf } from "../../graph/tensor.ts";
import { innerAxes, type Objective, type OutputInfo } from "./objective.ts";

/**
 * Distance to the original model's own output, relative to how much that varies over the samples: E = mean over elements of
 * (o - t)^2 / v, with v the variance of the column that the element belongs to. 0: the same, 1: no better than the mean over
 * the samples. dE/do = 2 (o - t) / (v n), d2E/do2 = 2 / (v n), with n elements.
 */
export const match: Objective = {
  name: "match",
  needsAnswers: false,
  suits: () => true,
  async bind(output, original) {
    const targets = await original.values();
    const weights = original.like?.columnWeights ?? weightsByColumn(output, targets);
    const factors = perColumn(output, weights);
    const doubled = perColumn(
      output,
      weights.map((weight) => 2 * weight),
    );
    return {
      targets,
      scale: 1,
      isRelative: true,
      columnWeights: weights,
      distance: { kind: "squares", weights },
      error(b, value, target) {
        return b.sum(b.mul(b.square(b.sub(value, target)), b.tensor(factors, "weights")), innerAxes(output));
      },
      derivatives(b, value, target) {
        const twice = b.tensor(doubled, "weights");
        const difference = b.sub(value, target);
        return { gradient: b.mul(difference, twice), curvature: b.add(b.sub(value, value), twice) };
      },
      ...(output.dims.length === 1 && {
        loop: { kind: "squares", weights: elementWeights(output, weights) } as const,
      }),
    };
  },
};

/** Column weights as a tensor that broadcasts to a value with the sample axis first. */
function perColumn({ type, dims, columnAxis }: OutputInfo, weights: Float64Array): Tensor {
  const shape = columnAxis === undefined ? [1] : dims.slice(columnAxis).map((dim, at) => (at === 0 ? dim : 1));
  return tensorOf(type, weights, shape);
}

function elementWeights({ dims, columnAxis }: OutputInfo, weights: Float64Array): Float64Array {
  return columnAxis === undefined ? new Float64Array(sizeOf(dims)).fill(weights[0] as number) : weights;
}

/** A column whose standard deviation is less than this share of its size counts as if it were that. */
const LEAST_DEVIATION = 1e-4;
/** A column that varies less than this share of the mean column counts as if it did not vary. */
const NO_VARIANCE = 1e-12;
/** One layer that makes more columns than this is taken to make columns of one kind, such as pixels. */
const MANY_COLUMNS = 32;
/** Of columns of one layer that are many, one that varies less than this share of the mean of them counts as that. */
const LEAST_SHARE = 1e-4;

/** By column: 1 / (its variance * number of elements of the output). */
function weightsByColumn({ dims, columnAxis, columnParts }: OutputInfo, targets: Tensor): Float64Array {
  const elements = sizeOf(dims);
  const columns = columnAxis === undefined ? 1 : (dims[columnAxis] as number);
  const inner = columnAxis === undefined ? 1 : sizeOf(dims.slice(columnAxis + 1));
  const columnOf = (element: number): number => (columnAxis === undefined ? 0 : Math.floor(element / inner) % columns);
  const { variances, squares } = momentsByColumn(targets, elements, columns, columnOf);
  const mean = meanOf(variances);
  const effective = variances.map((variance, column) =>
    Math.max(variance, LEAST_DEVIATION ** 2 * (squares[column] as number)),
  );
  let from = 0;
  for (const { length, isOneKind } of columnParts) {
    const own = effective.subarray(from, from + length);
    const average = meanOf(own);
    if (isOneKind) own.fill(average);
    else if (length > MANY_COLUMNS) own.set(own.map((one) => Math.max(one, LEAST_SHARE * average)));
    from += length;
  }
  return effective.map((own) => {
    const variance = own > NO_VARIANCE * mean && own > 0 ? own : mean;
    return 1 / ((variance > 0 ? variance : 1) * elements);
  });
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

/**
 * By column: the variance over samples, of each element about its own mean, averaged over the column's elements; and the mean
 * square. A single sample has no variance: there elements vary about their column's mean.
 */
function momentsByColumn(
  targets: Tensor,
  elements: number,
  columns: number,
  columnOf: (element: number) => number,
): { variances: Float64Array; squares: Float64Array } {
  const values = targets.numbers;
  const samples = values.length / elements;
  const [sums, squaresOf] = [new Float64Array(elements), new Float64Array(elements)];
  for (let at = 0; at < values.length; at++) {
    const [element, value] = [at % elements, values[at] as number];
    sums[element] = (sums[element] as number) + value / samples;
    squaresOf[element] = (squaresOf[element] as number) + value ** 2 / samples;
  }
  const perColumn = elements / columns;
  const [means, variances, squares] = [new Float64Array(columns), new Float64Array(columns), new Float64Array(columns)];
  for (let element = 0; element < elements; element++) {
    const column = columnOf(element);
    means[column] = (means[column] as number) + (sums[element] as number) / perColumn;
    squares[column] = (squares[column] as number) + (squaresOf[element] as number) / perColumn;
  }
  const deviations = deviationsOf(values, elements, sums, samples > 1 ? undefined : { means, columnOf });
  for (let element = 0; element < elements; element++) {
    const column = columnOf(element);
    variances[column] = (variances[column] as number) + (deviations[element] as number) / perColumn;
  }
  return { variances, squares };
}

/** By element: the mean over samples of its squared distance to its own mean, or to its column's. */
function deviationsOf(
  values: ArrayLike<number>,
  elements: number,
  means: Float64Array,
  columns: { readonly means: Float64Array; columnOf(element: number): number } | undefined,
): Float64Array {
  const samples = values.length / elements;
  const result = new Float64Array(elements);
  for (let at = 0; at < values.length; at++) {
    const element = at % elements;
    const mean = columns ? columns.means[columns.columnOf(element)] : means[element];
    result[element] = (result[element] as number) + ((values[at] as number) - (mean as number)) ** 2 / samples;
  }
  return result;
}
