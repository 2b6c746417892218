/**
 * Where a value has its samples: whatever the model's own layout, objectives see the sample axis first. Values without one
 * (a model that takes one sample at a time) get one of length 1.
 */
import type { GraphBuilder } from "../../graph/builder.ts";
import type { ElementType } from "../../graph/tensor.ts";

export interface SampleLayout {
  readonly type: ElementType;
  /** Dims of the value for one sample, in the model's layout. */
  readonly dims: readonly number[];
  /** The axis that grows with the samples; undefined: the value belongs to one sample as a whole. */
  readonly axis: number | undefined;
}

/** Dims of one sample's part without the sample axis. */
export function innerDims({ dims, axis }: SampleLayout): number[] {
  if (axis === undefined) return dims[0] === 1 && dims.length > 1 ? dims.slice(1) : [...dims];
  const own = dims[axis] as number;
  const rest = dims.filter((_, at) => at !== axis);
  return own === 1 ? rest : [own, ...rest];
}

/** The index in {@link innerDims} of an axis of the value; undefined for the sample axis. */
export function innerAxis({ dims, axis }: SampleLayout, of: number): number | undefined {
  if (axis === undefined) return dims[0] === 1 && dims.length > 1 ? (of === 0 ? undefined : of - 1) : of;
  if (of === axis) return undefined;
  const place = of < axis ? of : of - 1;
  return dims[axis] === 1 ? place : place + 1;
}

/** The value with the sample axis first: [N, ...innerDims]. */
export function samplesFirst(b: GraphBuilder, value: string, layout: SampleLayout): string {
  const real = layout.type === b.real ? value : b.cast(value, b.real);
  const { dims, axis } = layout;
  if (axis === undefined) return dims[0] === 1 && dims.length > 1 ? real : b.unsqueeze(real, [0]);
  const own = dims[axis] as number;
  const split =
    own === 1
      ? real
      : b.reshape(
          real,
          dims.flatMap((dim, at) => (at === axis ? [-1, own] : [dim])),
        );
  if (axis === 0) return split;
  const rank = dims.length + (own === 1 ? 0 : 1);
  return b.op("Transpose", [split], { perm: toFront(rank, axis, own) });
}

/** The inverse: from [N, ...innerDims] to the model's layout and type. */
export function fromSamplesFirst(b: GraphBuilder, value: string, layout: SampleLayout): string {
  const back = layout.type === b.real ? (name: string) => name : (name: string) => b.cast(name, layout.type);
  const { dims, axis } = layout;
  if (axis === undefined) return back(dims[0] === 1 && dims.length > 1 ? value : b.squeeze(value, [0]));
  const own = dims[axis] as number;
  const perm = toFront(dims.length + (own === 1 ? 0 : 1), axis, own);
  const inverse = perm.map((_, at) => perm.indexOf(at));
  const placed = axis === 0 ? value : b.op("Transpose", [value], { perm: inverse });
  return back(
    own === 1
      ? placed
      : b.reshape(
          placed,
          dims.map((dim, at) => (at === axis ? -1 : dim)),
        ),
  );
}

/** Brings the sample axis (and what one sample has of it) to the front. */
function toFront(rank: number, axis: number, own: number): number[] {
  const moved = own === 1 ? [axis] : [axis, axis + 1];
  return [...moved, ...[...Array(rank).keys()].filter((at) => !moved.includes(at))];
}
