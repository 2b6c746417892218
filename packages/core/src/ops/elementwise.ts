/**
 * Element-wise operators. Unit by unit nothing mixes, so every axis of input and output is tied. Removal sets a unit's
 * output to 0 where its consumers read it, so it does not matter that, say, Sigmoid(0) is not 0.
 */

import { floatAttribute, stringAttribute } from "../graph/attributes.ts";
import { tensorOf } from "../graph/tensor.ts";
import { noDerivative } from "./no-derivative.ts";
import { type Backward, type OpRule, type Pointwise, type Ties, tieAll, tieBroadcast } from "./rule.ts";

const sameShape = (t: Ties): void => tieAll(t, t.X(0), t.Y());

/** Y = f(X). */
const unary = (pointwise: Pointwise): OpRule => ({
  ties: sameShape,
  pointwise,
});

/** Inputs broadcast against each other. */
const broadcast = (t: Ties): void => {
  for (let slot = 0; slot < t.node.inputs.length; slot++) tieBroadcast(t, t.X(slot), t.Y());
};

const incoming = (d: Backward): string => d.incoming() as string;
const negative = (d: Backward, x: string): string => d.b.op("Neg", [x]);
const isPositive = (d: Backward): string => d.b.greater(d.X(0), d.b.scalar(0));
/** 1 - x. */
const oneMinus = (d: Backward, x: string): string => d.b.sub(d.b.scalar(1), x);

// ----- Arithmetic -----

/** Add: A, B -> A + B. */
export const Add: OpRule = {
  ties: broadcast,
  linear: (d) => d.unbroadcast(incoming(d), d.slot),
};

/** Sub: A, B -> A - B. */
export const Sub: OpRule = {
  ties: broadcast,
  linear: (d) => {
    const flips = d.slot === 1 && d.factor(-1) < 0;
    return d.unbroadcast(flips ? negative(d, incoming(d)) : incoming(d), d.slot);
  },
};

/** Mul: A, B -> A * B. Linear in each while the other is held fixed. */
export const Mul: OpRule = {
  ties: broadcast,
  linear: (d) => d.unbroadcast(d.b.mul(incoming(d), d.coefficient(d.X(1 - d.slot))), d.slot),
};

/** Div: A, B -> A / B. In B: y' = -y / b, y'' = 2 y / b^2. */
export const Div: OpRule = {
  ties: broadcast,
  linear: [(d) => d.unbroadcast(d.b.div(incoming(d), d.coefficient(d.X(1))), 0)],
  vjp: [undefined, (d) => d.unbroadcast(negative(d, d.b.div(d.b.mul(incoming(d), d.Y()), d.X(1))), 1)],
  curvature: [
    undefined,
    (d) => {
      const ratio = d.b.div(d.Y(), d.X(1));
      const squared = d.b.mul(incoming(d), d.b.square(ratio));
      const bend = d.b.div(d.b.mul(d.b.mul(d.gradient() as string, ratio), d.b.scalar(2)), d.X(1));
      return d.unbroadcast(d.b.add(squared, bend), 1);
    },
  ],
};

/** Pow: X, E -> X^E with a constant exponent: f' = E X^(E-1), f'' = E (E-1) X^(E-2). */
export const Pow: OpRule = {
  ties: broadcast,
  pointwise: {
    first: (d) => power(d, (e) => e, 1),
    second: (d) => power(d, (e) => e * (e - 1), 2),
  },
};

/** scale(E) * X^(E - less); 0 where the scale is, at X = 0 too. */
function power(d: Backward, scale: (exponent: number) => number, less: number): string {
  const exponent = d.constant(1);
  if (!exponent) throw noDerivative(d.node, "no derivative for an exponent that is not constant");
  const values = Array.from(exponent.numbers);
  const tensor = (numbers: number[]): string => d.b.tensor(tensorOf(d.b.real, numbers, exponent.dims));
  const powers = values.map((e) => (scale(e) === 0 ? 0 : e - less));
  return d.b.mul(tensor(values.map(scale)), d.b.op("Pow", [d.X(0), tensor(powers)]));
}

/** Neg: X -> -X. */
export const Neg: OpRule = {
  ties: sameShape,
  linear: (d) => (d.factor(-1) < 0 ? negative(d, incoming(d)) : incoming(d)),
};

/** Identity: X -> X. */
export const Identity: OpRule = { ties: sameShape, linear: incoming };

/** Dropout at inference: X -> X, and optionally a mask of the same shape. */
export const Dropout: OpRule = {
  ties(t) {
    sameShape(t);
    tieAll(t, t.X(0), t.Y(1));
  },
  linear: incoming,
};

/** Sum: adds any number of inputs. */
export const Sum: OpRule = { ties: broadcast, linear: (d) => d.unbroadcast(incoming(d), d.slot) };

/** Max and Min of one or more inputs: what arrives goes to the input that is chosen, of equal ones to the first. */
const choice: OpRule = {
  ties: broadcast,
  linear(d) {
    const { b } = d;
    const isReached = (slot: number): string => b.equal(d.X(slot), d.Y());
    let isChosen = isReached(d.slot);
    for (let slot = 0; slot < d.slot; slot++) isChosen = b.and(isChosen, b.not(isReached(slot)));
    return d.unbroadcast(b.mul(incoming(d), b.indicator(isChosen)), d.slot);
  },
};

export const Max: OpRule = choice;
export const Min: OpRule = choice;

/** Where: condition ? X : Y. */
export const Where: OpRule = {
  ties: broadcast,
  linear: [
    undefined,
    (d) => d.unbroadcast(d.b.where(d.X(0), incoming(d), d.b.scalar(0)), 1),
    (d) => d.unbroadcast(d.b.where(d.X(0), d.b.scalar(0), incoming(d)), 2),
  ],
};

/** Comparisons carry units but no derivative. */
const comparison: OpRule = { ties: broadcast };

export const Equal: OpRule = comparison;
export const Greater: OpRule = comparison;
export const GreaterOrEqual: OpRule = comparison;
export const Less: OpRule = comparison;
export const LessOrEqual: OpRule = comparison;
export const And: OpRule = comparison;
export const Or: OpRule = comparison;
export const Not: OpRule = comparison;

/** Cast between element types; real to real passes derivatives on. A length that becomes a real is a number that the model computes with, such as a scale: it stays what it was. */
export const Cast: OpRule = {
  ties: sameShape,
  linear: [(d) => d.b.cast(incoming(d), d.b.real)],
  cut(c) {
    const length = c.followsCut(0) ? c.constant(0) : undefined;
    return length ? { constants: new Map([[0, length]]) } : {};
  },
};

/** Floor, Ceil, Round and Sign: flat almost everywhere. */
const steps: OpRule = unary({ first: (d) => d.b.scalar(0) });

export const Floor: OpRule = steps;
export const Ceil: OpRule = steps;
export const Round: OpRule = steps;
export const Sign: OpRule = steps;

// ----- Functions -----

/** Abs: f' = sign x. */
export const Abs: OpRule = unary({ first: (d) => d.b.sign(d.X(0)) });

/** Reciprocal: f' = -y^2, f'' = 2 y^3. */
export const Reciprocal: OpRule = unary({
  first: (d) => negative(d, d.b.square(d.Y())),
  second: (d) => d.b.mul(d.b.scalar(2), d.b.mul(d.b.square(d.Y()), d.Y())),
});

/** Sin: f' = cos x, f'' = -sin x. */
export const Sin: OpRule = unary({ first: (d) => d.b.op("Cos", [d.X(0)]), second: (d) => negative(d, d.Y()) });

/** Cos: f' = -sin x, f'' = -cos x. */
export const Cos: OpRule = unary({
  first: (d) => negative(d, d.b.op("Sin", [d.X(0)])),
  second: (d) => negative(d, d.Y()),
});

/** Exp: f' = f'' = y. */
export const Exp: OpRule = unary({ first: (d) => d.Y(), second: (d) => d.Y() });

/** Log: f' = 1/x, f'' = -1/x^2. */
export const Log: OpRule = unary({
  first: (d) => d.b.op("Reciprocal", [d.X(0)]),
  second: (d) => negative(d, d.b.square(d.b.op("Reciprocal", [d.X(0)]))),
});

/** Sqrt: f' = 1/(2y), f'' = -1/(4 y^3). */
export const Sqrt: OpRule = unary({
  first: (d) => d.b.div(d.b.scalar(0.5), d.Y()),
  second: (d) => d.b.div(d.b.scalar(-0.25), d.b.mul(d.b.square(d.Y()), d.Y())),
});

/** Erf: f' = 2/sqrt(pi) exp(-x^2), f'' = -2x f'. */
export const Erf: OpRule = unary({
  first: (d) => gauss(d, d.X(0), 1, 2 / Math.sqrt(Math.PI)),
  second: (d) => d.b.mul(d.b.mul(d.b.scalar(-2), d.X(0)), gauss(d, d.X(0), 1, 2 / Math.sqrt(Math.PI))),
});

/** scale * exp(-rate * x^2). */
function gauss(d: Backward, x: string, rate: number, scale: number): string {
  return d.b.mul(d.b.scalar(scale), d.b.op("Exp", [d.b.mul(d.b.scalar(-rate), d.b.square(x))]));
}

// ----- Activations -----

/** Sigmoid (logistic): f' = y (1 - y), f'' = f' (1 - 2y). */
export const Sigmoid: OpRule = unary({
  first: (d) => d.b.mul(d.Y(), oneMinus(d, d.Y())),
  second: (d) => d.b.mul(d.b.mul(d.Y(), oneMinus(d, d.Y())), oneMinus(d, d.b.add(d.Y(), d.Y()))),
});

/** Tanh: f' = 1 - y^2, f'' = -2 y f'. */
export const Tanh: OpRule = unary({
  first: (d) => oneMinus(d, d.b.square(d.Y())),
  second: (d) => d.b.mul(d.b.mul(d.b.scalar(-2), d.Y()), oneMinus(d, d.b.square(d.Y()))),
});

/** Relu: f' = [x > 0], f'' = 0. */
export const Relu: OpRule = unary({
  first: (d) => d.b.indicator(isPositive(d)),
});

/** LeakyRelu: f' = 1 or alpha, f'' = 0. */
export const LeakyRelu: OpRule = unary({
  first: (d) => d.b.where(isPositive(d), d.b.scalar(1), d.b.scalar(floatAttribute(d.node, "alpha", 0.01))),
});

/** PRelu: X, slope broadcast to X: f' = 1 or slope. */
export const PRelu: OpRule = {
  ties: broadcast,
  pointwise: { first: (d) => d.b.where(isPositive(d), d.b.scalar(1), d.X(1)) },
};

/** ThresholdedRelu: f' = [x > alpha]. */
export const ThresholdedRelu: OpRule = unary({
  first: (d) => isAbove(d, d.X(0), d.b.scalar(floatAttribute(d.node, "alpha", 1))),
});

/** Softsign: y = x / (1 + |x|): f' = 1 / (1 + |x|)^2, f'' = -2 sign(x) / (1 + |x|)^3. */
export const Softsign: OpRule = unary({
  first: (d) => d.b.square(softsignScale(d)),
  second: (d) => {
    const cubed = d.b.mul(d.b.square(softsignScale(d)), softsignScale(d));
    return d.b.mul(d.b.mul(d.b.scalar(-2), d.b.sign(d.X(0))), cubed);
  },
});

function softsignScale(d: Backward): string {
  return d.b.op("Reciprocal", [d.b.add(d.b.scalar(1), d.b.op("Abs", [d.X(0)]))]);
}

/** HardSwish: x * clip(x / 6 + 1/2, 0, 1): f' = 0, x / 3 + 1/2 or 1; f'' = 1/3 between -3 and 3. */
export const HardSwish: OpRule = unary({
  first: (d) => {
    const middle = d.b.add(d.b.mul(d.X(0), d.b.scalar(1 / 3)), d.b.scalar(0.5));
    const above = d.b.indicator(d.b.not(d.b.greater(d.b.scalar(3), d.X(0))));
    return d.b.add(d.b.mul(middle, between(d, -3, 3)), above);
  },
  second: (d) => d.b.mul(between(d, -3, 3), d.b.scalar(1 / 3)),
});

/** [low < x < high] as reals. */
function between(d: Backward, low: number, high: number): string {
  return d.b.mul(isAbove(d, d.X(0), d.b.scalar(low)), isAbove(d, d.b.scalar(high), d.X(0)));
}

/** Elu: f' = 1 or y + alpha, f'' = 0 or y + alpha. */
export const Elu: OpRule = unary(exponentialUnit(1, 1));

/** Selu: gamma times Elu. */
export const Selu: OpRule = unary(exponentialUnit(1.6732631921768188, 1.0507010221481323));

function exponentialUnit(alphaDefault: number, gammaDefault: number): Pointwise {
  const gammaOf = (d: Backward): number => floatAttribute(d.node, "gamma", gammaDefault);
  const below = (d: Backward): string =>
    d.b.add(d.Y(), d.b.scalar(gammaOf(d) * floatAttribute(d.node, "alpha", alphaDefault)));
  return {
    first: (d) => d.b.where(isPositive(d), d.b.scalar(gammaOf(d)), below(d)),
    second: (d) => d.b.where(isPositive(d), d.b.scalar(0), below(d)),
  };
}

/** Softplus: f' = sigmoid(x), f'' = f' (1 - f'). */
export const Softplus: OpRule = unary({
  first: (d) => d.b.op("Sigmoid", [d.X(0)]),
  second: (d) => {
    const s = d.b.op("Sigmoid", [d.X(0)]);
    return d.b.mul(s, oneMinus(d, s));
  },
});

/** HardSigmoid: f' = alpha strictly inside (0, 1), f'' = 0. */
export const HardSigmoid: OpRule = unary({
  first: (d) => {
    const inside = d.b.mul(isAbove(d, d.Y(), d.b.scalar(0)), isAbove(d, d.b.scalar(1), d.Y()));
    return d.b.mul(inside, d.b.scalar(floatAttribute(d.node, "alpha", 0.2)));
  },
});

/** Gelu: x * Phi(x), or its tanh form. f' = Phi + x phi, f'' = phi (2 - x^2). */
export const Gelu: OpRule = unary({
  first: (d) => (stringAttribute(d.node, "approximate", "none") === "tanh" ? tanhGelu(d).first : exactGelu(d).first),
  second: (d) => (stringAttribute(d.node, "approximate", "none") === "tanh" ? tanhGelu(d).second : exactGelu(d).second),
});

function exactGelu(d: Backward): { first: string; second: string } {
  const { b } = d;
  const x = d.X(0);
  const density = gauss(d, x, 0.5, 1 / Math.sqrt(2 * Math.PI));
  const erf = b.op("Erf", [b.mul(x, b.scalar(Math.SQRT1_2))]);
  const cumulative = b.mul(b.scalar(0.5), b.add(b.scalar(1), erf));
  return {
    first: b.add(cumulative, b.mul(x, density)),
    second: b.mul(density, b.sub(b.scalar(2), b.square(x))),
  };
}

/** y = x/2 (1 + t), t = tanh(u), u = c (x + a x^3). */
function tanhGelu(d: Backward): { first: string; second: string } {
  const { b } = d;
  const x = d.X(0);
  const c = Math.sqrt(2 / Math.PI);
  const a = 0.044715;
  const squared = b.square(x);
  const t = b.op("Tanh", [b.mul(b.scalar(c), b.mul(x, b.add(b.scalar(1), b.mul(b.scalar(a), squared))))]);
  const du = b.mul(b.scalar(c), b.add(b.scalar(1), b.mul(b.scalar(3 * a), squared)));
  const ddu = b.mul(b.scalar(6 * a * c), x);
  const dt = b.mul(b.sub(b.scalar(1), b.square(t)), du);
  const ddt = b.sub(b.mul(b.sub(b.scalar(1), b.square(t)), ddu), b.mul(b.mul(b.scalar(2), t), b.mul(dt, du)));
  const half = b.scalar(0.5);
  return {
    first: b.mul(half, b.add(b.add(b.scalar(1), t), b.mul(x, dt))),
    second: b.mul(half, b.add(b.mul(b.scalar(2), dt), b.mul(x, ddt))),
  };
}

/**
 * Clip: min(max(X, low), high). What arrives goes to X strictly inside the limits, else to the limit that is reached, so
 * that each element has one receiver. Limits are attributes before opset 11 and inputs from then on.
 */
export const Clip: OpRule = {
  ties: sameShape,
  linear: [
    (d) => {
      const { isAboveLow, isBelowHigh } = clipping(d);
      const masks = [isAboveLow, isBelowHigh].filter((mask) => mask !== undefined);
      return masks.reduce((value, mask) => d.b.mul(value, mask), incoming(d));
    },
    (d) => {
      const { isAboveLow = d.b.scalar(1), isOpen } = clipping(d);
      return toLimit(d, d.b.mul(oneMinus(d, isAboveLow), isOpen));
    },
    (d) => {
      const { isBelowHigh = d.b.scalar(1), isOpen } = clipping(d);
      return toLimit(d, oneMinus(d, d.b.mul(isBelowHigh, isOpen)));
    },
  ],
};

/** Where X lies, as reals of 0 and 1; undefined for a limit that is left out. `isOpen`: whether low < high. */
function clipping(d: Backward): { isAboveLow?: string; isBelowHigh?: string; isOpen: string } {
  const limit = (name: "min" | "max", slot: number): string | undefined => {
    if (d.node.inputs[slot]) return d.X(slot);
    return name in d.node.attributes ? d.b.scalar(floatAttribute(d.node, name, 0)) : undefined;
  };
  const [low, high] = [limit("min", 1), limit("max", 2)];
  return {
    ...(low !== undefined && { isAboveLow: isAbove(d, d.X(0), low) }),
    ...(high !== undefined && { isBelowHigh: isAbove(d, high, d.X(0)) }),
    isOpen: low !== undefined && high !== undefined ? isAbove(d, high, low) : d.b.scalar(1),
  };
}

/** The sum of what arrives where `mask` is 1, shaped like the limit. */
function toLimit(d: Backward, mask: string): string {
  return d.b.reshapeLike(d.b.sum(d.b.mul(incoming(d), mask)), d.X(d.slot));
}

/** [a > b] as reals. */
function isAbove(d: Backward, a: string, b: string): string {
  return d.b.indicator(d.b.greater(a, b));
}
