import type { Oracle } from "../measure/oracle.ts";
import type { Group, Part } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import type { Joint, ScoringContext } from "./criterion.ts";

/** For each unit of a block so many are measured to find those that go well together. */
const FIELD = 4;
/** Share of the units still missing from a block that one measurement decides about. */
const AT_ONCE = 1 / 8;

/**
 * Blocks of units that the oracle measures as a whole, in one run. A block grows step by step, each time by those whose removal
 * raises the error least when the ones before are gone: two that say the same cost nothing each, and all together. A group's block is
 * found again when units of the group have gone; what it costs is measured at every step.
 */
export class MeasuredBlocks {
  readonly #found = new Map<Group, { readonly part: Part; readonly units: readonly number[] }>();

  /** The units of a group that go best together, and the measured change of the error when they are all removed. */
  async joint(context: ScoringContext, part: Part, size: number, scores: Float64Array): Promise<Joint> {
    const known = this.#found.get(part.group);
    const isCurrent = known?.part === part && known.units.length === size;
    const units = isCurrent ? known.units : await search(context, part, size, scores);
    this.#found.set(part.group, { part, units });
    const [last = 0] = units.slice(-1);
    const errors = await (context.oracle as Oracle).errorsWithout([last], { beside: units.slice(0, -1) });
    return { units, score: (errors.get(last) as number) - (await context.error()) };
  }
}

/** Grows a block among the units that are cheapest so far: with every unit that is found, those that look worst drop out. */
async function search({ oracle }: ScoringContext, { units }: Part, size: number, scores: Float64Array) {
  if (size >= units.length) return units;
  const block: number[] = [];
  let field = units;
  let costOf = (unit: number): number => scores[unit] as number;
  for (;;) {
    const missing = size - block.length;
    const order = lowest(field, FIELD * missing, costOf);
    block.push(...order.splice(0, Math.ceil(missing * AT_ONCE)));
    if (block.length === size) return block;
    field = order;
    const errors = await (oracle as Oracle).errorsWithout(field, { beside: block });
    costOf = (unit) => errors.get(unit) as number;
  }
}
