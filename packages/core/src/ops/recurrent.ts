/**
 * Recurrent layers: X[time, N, features], W[directions, gates * units, features], R[directions, gates * units, units],
 * B[directions, 2 * gates * units], initial states [directions, N, units] -> Y[time, directions, N, units], Y_h and Y_c
 * [directions, N, units]. Of two directions the units with the same number go together, as they fill one tensor.
 *
 * A hidden unit is read by what follows, and by the layer itself at its next step: gates stand on both, on what follows and on the
 * columns of R.
 */
import { intAttribute } from "../graph/attributes.ts";
import { sizeOf } from "../graph/tensor.ts";
import type { OpRule, Port, Ties } from "./rule.ts";
import { throughTime } from "./through-time.ts";

const X = 0;
const W = 1;
const R = 2;
const B = 3;
const STATES = [5, 6];
const PEEPHOLES = 7;

function tieUnits(t: Ties): void {
  const [x, w, r] = [t.X(X), t.X(W), t.X(R)];
  if (!x || !w || !r || !t.isWeight(W) || !t.isWeight(R) || intAttribute(t.node, "layout", 0) !== 0) return;
  const units = r.dims[2] as number;
  /** An axis that holds every unit several times, one block after another. */
  const tieBlocks = (port: Port | undefined, axis: number): void => {
    for (let block = 0; block < ((port?.dims[axis] as number) ?? 0) / units; block++) {
      t.tie(port as Port, axis, r, 2, (unit) => block * units + unit);
    }
  };
  tieBlocks(w, 1);
  tieBlocks(r, 1);
  for (const slot of [B, PEEPHOLES]) tieBlocks(t.X(slot), 1);
  for (const slot of STATES) {
    const state = t.X(slot);
    if (!state) continue;
    tieBlocks(state, 2);
    if (!t.isWeight(slot)) t.tie(state, 1, x, 1);
    else t.pass(state, 1);
  }
  const lengths = t.X(4);
  if (lengths) t.pass(lengths, 0);
  t.tie(w, 2, x, 2);
  t.absorb(X, 2);
  t.absorb(R, 2);
  t.pass(x, 0);
  t.pass(x, 1);
  const y = t.Y(0);
  if (y) {
    t.tie(x, 0, y, 0);
    t.tie(x, 1, y, 2);
    tieBlocks(y, 3);
    t.produce(3, 0);
  }
  for (const output of [1, 2]) {
    const last = t.Y(output);
    if (!last) continue;
    t.tie(x, 1, last, 1);
    tieBlocks(last, 2);
    t.produce(2, output);
  }
}

const recurrent: OpRule = {
  weights: [W, R],
  ties: tieUnits,
  cut(c) {
    const left = c.left("input", R, 2);
    if (left === undefined || c.node.attributes.hidden_size === undefined) return {};
    return { node: { ...c.node, attributes: { ...c.node.attributes, hidden_size: { kind: "int", value: left } } } };
  },
  vjp: [(d) => throughTime(d).input],
  gain: [undefined, undefined, (d) => throughTime(d).gain],
  macs: ({ dims }) => sizeOf(dims(X).slice(0, 2)) * (sizeOf(dims(W)) + sizeOf(dims(R))),
};

export const GRU: OpRule = recurrent;
export const LSTM: OpRule = recurrent;
export const RNN: OpRule = recurrent;
