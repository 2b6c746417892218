/** How long a run with repair goes on: told before its first removal and along the way, never used for a choice. */
import type { Compensator } from "../compensate/compensator.ts";
import type { Budget, Progress } from "./budget.ts";
import { latencyGoal } from "./budget.ts";
import type { Stages } from "./stages.ts";

/** Repairs of a run, and the seconds that are left. */
export interface Outlook {
  /** Repairs so far, and in all; the last one, of everything, among them. */
  readonly repairs: number;
  readonly expected: number;
  readonly seconds: number;
}

/** A repair of all readers looks at about so many times the rows that a ranking looks at. */
const ROWS_OF_REPAIR = 4;

export class RepairPace {
  readonly #compensator: Compensator;
  readonly #passSeconds: number;
  readonly #stages: Stages;
  #started = Date.now();
  #first = 0;
  #repairs = 0;
  #perStage = 0;

  constructor(compensator: Compensator, passSeconds: number, stages: Stages) {
    this.#compensator = compensator;
    this.#passSeconds = passSeconds;
    this.#stages = stages;
  }

  /** After the first ranking, which looks at all consumers; later ones look at those that read something else now. */
  ranked(): void {
    this.#first ||= (Date.now() - this.#started) / 1000;
    this.#perStage ||= this.#first / 2;
  }

  repaired(): void {
    this.#repairs++;
    this.#perStage = ((Date.now() - this.#started) / 1000 - this.#first) / this.#repairs;
  }

  /** `removals`: units still to go, about. Undefined where no cost is a goal: then no one knows how far the run will go. */
  outlook(budget: Budget, now: Progress, before: Progress, removals: number): Outlook | undefined {
    const time = latencyGoal(budget, before);
    const shares = [
      budget.targetMacs && (budget.targetMacs * before.macs) / now.macs,
      budget.targetParams && (budget.targetParams * before.parameters) / now.parameters,
      time !== undefined && now.latency ? time / now.latency : undefined,
    ].filter((share) => share !== undefined);
    if (shares.length === 0) return undefined;
    const toGo = Math.max(0, this.#stages.expected(removals, Math.min(1, ...shares)) - 1);
    return {
      repairs: this.#repairs,
      expected: this.#repairs + toGo + 1,
      seconds: toGo * this.#perStage + this.lastSeconds,
    };
  }

  /** Of the last repair, all of it. */
  get lastSeconds(): number {
    return ROWS_OF_REPAIR * this.#first + this.#compensator.finishingPasses * this.#passSeconds;
  }
}
