/** The Taylor family. Signed, absolute and squared are different criteria and never share a name. */
import { taylorTerms } from "../measure/taylor.ts";
import { type Criterion, evaluatorIn } from "./criterion.ts";

/** First-order estimate of removal: mean over samples of -o dE/do. Wolfe et al. 2017; Mozer and Smolensky 1989. */
export const taylor1: Criterion = {
  name: "taylor1",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const { gradient } = await taylorTerms(evaluatorIn(context), context.state, { second: false });
    return gradient.map((value) => -value);
  },
};

/** Second-order estimate of removal: mean over samples of -o dE/do + 1/2 o^2 d2E/do^2. Wolfe et al. 2017. */
export const taylor2: Criterion = {
  name: "taylor2",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const { gradient, curvature } = await taylorTerms(evaluatorIn(context), context.state, { second: true });
    return gradient.map((value, unit) => -value + (curvature[unit] as number) / 2);
  },
};

/** Mean over samples of |o dE/do|. Molchanov et al. 2017. */
export const taylorAbs: Criterion = {
  name: "taylor-abs",
  inErrorUnits: false,
  needsData: true,
  async score(context) {
    return (await taylorTerms(evaluatorIn(context), context.state, { second: false })).absolute;
  },
};

/** Half the mean over samples of (o dE/do)^2: the Fisher information of the unit's gain. Theis et al. 2018. */
export const fisher: Criterion = {
  name: "fisher",
  inErrorUnits: false,
  needsData: true,
  async score(context) {
    const { squared } = await taylorTerms(evaluatorIn(context), context.state, { second: false });
    return squared.map((value) => value / 2);
  },
};
