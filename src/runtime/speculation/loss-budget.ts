/** Part of the time that drafts may waste. */
const SHARE = 0.02;

/** All in rounds without drafts. */
export interface LossLimits {
  /** What may be saved up for bad times, what may be lost beyond it, and what is remembered as lost. */
  readonly saved: number;
  readonly risked: number;
  readonly owed: number;
  /** Down to which debt something may still be risked. */
  readonly patience: number;
}

/** Of a whole ring: of each draft the most that it can cost counts. */
export const LOSSES_OF_RING: LossLimits = { saved: 5, risked: 4, owed: 8, patience: 0 };
/**
 * Of one request: what a draft is likely to cost counts, so a few may fail. What was won with other requests must not be
 * lost with this one, which may be short.
 */
export const LOSSES_OF_REQUEST: LossLimits = { saved: 8, risked: 0.5, owed: 8, patience: 0.5 };

/**
 * Keeps drafts from costing more than they bring, whatever the estimates say: what each round took is booked against
 * what it would have taken without drafts. Once more was lost than a small share of the time, drafts stop until that is
 * made good.
 */
export class LossBudget {
  readonly #limits: LossLimits;
  #balance = 0;

  constructor(limits: LossLimits) {
    this.#limits = limits;
  }

  /** Seconds saved up; below 0: owed. */
  get balance(): number {
    return this.#balance;
  }

  /** Seconds that may be lost at once; 0 while too much is owed. */
  risk(plainRound: number): number {
    const { risked, patience } = this.#limits;
    return this.#balance < -patience * plainRound ? 0 : this.#balance + risked * plainRound;
  }

  /**
   * @param seconds what the round took
   * @param plain what the tokens that it gave would have taken without drafts
   * @param plainRound what a round without drafts takes
   */
  book(seconds: number, plain: number, plainRound: number): void {
    const { saved, owed } = this.#limits;
    const balance = this.#balance + plain - seconds + SHARE * Math.min(seconds, plain);
    this.#balance = Math.min(saved * plainRound, Math.max(-owed * plainRound, balance));
  }
}
