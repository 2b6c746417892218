/** Time left in a run of removals, from the pace so far. */
import type { ChooseProgress } from "@shrinknet/core";
import { formatNumber, formatSeconds, formatShare, plural } from "../text/format.ts";

export interface PaceOptions {
  /** Whether a step measures every unit that is left, so that steps get cheaper as units go. */
  readonly shrinking: boolean;
  /** Whether the number of removals is known; else the time left is an upper bound. */
  readonly known: boolean;
}

/** Turns stages into words: `12 of 40 removed, error 3.2, accuracy 97.10 %, about 5 s left`. */
export function paceTeller({ shrinking, known }: PaceOptions): (stage: ChooseProgress, now?: number) => string {
  let start: { work: number; time: number } | undefined;
  return ({ removed, expected, units, quality, polish, lastFit, outlook }, now = Date.now()) => {
    const left = outlook === undefined ? "" : `, about ${formatSeconds(outlook.seconds)} left`;
    if (lastFit) return `${plural(removed, "unit")} removed; fitting what reads them together${left}`;
    if (polish) return `polishing: ${plural(polish.swaps, "swap")} in ${plural(polish.trials, "trial")}`;
    /** Cost of the first `steps` removals. */
    const work = (steps: number): number => (shrinking ? steps * units - (steps * (steps - 1)) / 2 : steps);
    start ??= { work: work(removed), time: now };
    const done = work(removed) - start.work;
    const seconds = ((now - start.time) / 1000 / done) * (work(expected) - work(removed));
    return [
      known ? `${removed} of ${expected} removed` : `${plural(removed, "unit")} of ${units} removed`,
      ...(quality.error === undefined ? [] : [`error ${formatNumber(quality.error)}`]),
      ...(quality.accuracy === undefined ? [] : [`accuracy ${formatShare(quality.accuracy, 2)}`]),
      ...(outlook
        ? [`repair ${outlook.repairs} of at most ${outlook.expected}, about ${formatSeconds(outlook.seconds)} left`]
        : []),
      ...(done > 0 && !outlook ? [`${known ? "about" : "at most"} ${formatSeconds(seconds)} left`] : []),
    ].join(", ");
  };
}
