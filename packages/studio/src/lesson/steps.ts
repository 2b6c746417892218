/** The lesson's text. Numbers stand in the figures alone: those are measured while one reads. */

export type FigureName = "digits" | "cheap" | "tangent" | "parabola" | "race" | "pair" | "repair" | "small";

export interface LessonStep {
  readonly title: string;
  readonly text: readonly string[];
  /** What to look at in the figure. */
  readonly look: string;
  readonly figure: FigureName;
}

export const STEPS: readonly LessonStep[] = [
  {
    title: "A network that reads digits",
    text: [
      "This network takes a picture of 20 by 20 pixels and says which digit it is. Between the pixels and the ten answers stand 100 hidden neurons. Each of them looks at all pixels with weights of its own.",
      "Nobody knows beforehand how many neurons a task needs. So networks are trained with too many. The question of this lesson: which of them can go?",
    ],
    look: "each square shows the pixels that one neuron likes (red) and dislikes (blue). Below are digits that it has to read.",
    figure: "digits",
  },
  {
    title: "What one neuron is worth",
    text: [
      "To remove a neuron is to turn its output down to 0. So give it a volume knob: at 1 the network is as it was trained, at 0 the neuron is gone. While we turn the knob, we measure the error over 1,000 digits. That is the gain curve.",
      "Where the curve meets 0 is what the removal costs. For many neurons it costs next to nothing; some removals even lower the error.",
    ],
    look: "the curve of the cheapest neuron. It is nearly flat: the network hardly notices whether this neuron is there.",
    figure: "cheap",
  },
  {
    title: "The tangent: a cheap guess that fails",
    text: [
      "Measuring every neuron costs a pass over the data for each. The first idea is to guess: at volume 1 we know the slope of the curve from one backward pass, for all neurons at once. Follow this straight line down to 0, and read off what the removal should cost. This is the first-order Taylor estimate, taylor1.",
      "But a trained network sits at the bottom of a valley. There slopes are near 0 and say little about how steep the walls are.",
    ],
    look: "each point is a neuron: what the tangent promised, across, and what is true, up. A good guess lies on the diagonal. Where a point stands far above it, the tangent promised a cheap removal that in truth is dear.",
    figure: "tangent",
  },
  {
    title: "The parabola: better",
    text: [
      "The next idea is to use the bend of the curve as well, and to follow a parabola down to 0. This is taylor2. It takes one more pass, still for all neurons at once.",
      "It sees the walls of the valley. Where the true curve is no parabola, it is still wrong.",
    ],
    look: "the points lie much closer to the diagonal. Below is the gain curve for which the parabola is furthest off.",
    figure: "parabola",
  },
  {
    title: "Brute force: measure every one",
    text: [
      "Why guess at all? We can remove each neuron, measure, and put it back. Then we remove the cheapest for good and start again. With 100 neurons that makes 5,050 networks to measure. The authors of the paper called it the oracle, and found it far better, and expensive.",
      "Here it takes a moment. What lies before the neuron does not change when it goes, so it is computed once and kept; only what follows is computed anew.",
    ],
    look: "three runs remove neurons until one is left. The later a line falls, the better the choice.",
    figure: "race",
  },
  {
    title: "Two neurons that cancel each other",
    text: [
      "Measuring one at a time has a blind spot. Two neurons can work against each other: one adds what the other takes away. Remove one, and the other does harm. Remove both, and nothing happens.",
      "No list of single costs shows this, neither guessed nor measured. That is why we measure anew after every removal, and why blocks are measured together.",
    ],
    look: "a neuron and its best partner: the cost of both together is less than the sum of the two.",
    figure: "pair",
  },
  {
    title: "Repair: let the others take over",
    text: [
      "When a neuron goes, those that stay can often say what it said. How they must be weighted for that is a least-squares problem, and its solution is known in closed form: no training, no gradients, one system of equations.",
      "With repair the question changes. We no longer ask which neuron matters least, but which the others can best replace.",
    ],
    look: "the same network, pruned with and without repair. Labels are not needed for it.",
    figure: "repair",
  },
  {
    title: "How small does it get?",
    text: [
      "Now we allow one point of accuracy to be lost and see how far we get. The file that comes out is an ordinary ONNX file with narrower layers. Before you may download it, it has been run beside the original with the removed neurons silenced: both must give the same.",
      "Go to the pad under Play and draw digits, and move the slider until the small network errs. Or open a network of your own.",
    ],
    look: "the widths before and after, and the accuracy. The slider below goes through the whole history.",
    figure: "small",
  },
];
