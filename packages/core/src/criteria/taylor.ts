/** The Taylor family. Signed, absolute and squared are different criteria and never share a name. */
import { taylorTerms } from "../measure/taylor.ts";
import { type Criterion, subjectIn } from "./criterion.ts";

/** First-order estimate of removal: sum over samples of -o dE/do. Wolfe et al. 2017; Mozer and Smolensky 1989. */
export const taylor1: Criterion = {
  name: "taylor1",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const { slope } = await taylorTerms(subjectIn(context), context.state, false);
    return slope.map((value) => -value);
  },
};

/** Second-order estimate of removal: sum over samples of -o dE/do + 1/2 o^2 d2E/do^2. Wolfe et al. 2017. */
export const taylor2: Criterion = {
  name: "taylor2",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const { slope, bend } = await taylorTerms(subjectIn(context), context.state, true);
    return slope.map((value, unit) => -value + (bend[unit] as number) / 2);
  },
};

/** Mean over samples of |o dE/do|. Molchanov et al. 2017. */
export const taylorAbs: Criterion = {
  name: "taylor-abs",
  inErrorUnits: false,
  needsData: true,
  async score(context) {
    const subject = subjectIn(context);
    const { absolute } = await taylorTerms(subject, context.state, false);
    return absolute.map((value) => value / subject.data.size);
  },
};

/** Half the mean over samples of (o dE/do)^2: the Fisher information of the unit's gain. Theis et al. 2018. */
export const fisher: Criterion = {
  name: "fisher",
  inErrorUnits: false,
  needsData: true,
  async score(context) {
    const subject = subjectIn(context);
    const { squared } = await taylorTerms(subject, context.state, false);
    return squared.map((value) => value / 2 / subject.data.size);
  },
};
