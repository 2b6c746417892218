/** Recurrent layers: run and counted as they are; their units are not cut. */
import { sizeOf } from "../graph/tensor.ts";
import type { OpRule } from "./rule.ts";

/** X[time, samples, features], W[directions, gates * units, features], R[directions, gates * units, units]. */
const recurrent: OpRule = {
  macs: ({ dims }) => sizeOf(dims(0).slice(0, 2)) * (sizeOf(dims(1)) + sizeOf(dims(2))),
};

export const GRU: OpRule = recurrent;
export const LSTM: OpRule = recurrent;
export const RNN: OpRule = recurrent;
