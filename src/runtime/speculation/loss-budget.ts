/** Part of the time that drafts may waste. */
const SHARE = 0.02;
/** What may be saved up for bad times, what may be risked on top of it, and what is remembered as lost: in plain rounds. */
const MOST_SAVED = 5;
const MOST_RISKED = 4;
const MOST_OWED = 8;

/**
 * Keeps drafts from costing more than they bring, whatever the estimates say: what each round took is booked against
 * what it would have taken without drafts. Once more was lost than a small share of the time, drafts stop until that is
 * made good.
 */
export class LossBudget {
  #balance = 0;

  /** Seconds saved up; below 0: owed. */
  get balance(): number {
    return this.#balance;
  }

  /** Seconds that may be lost at once; 0 while something is owed. */
  risk(plainRound: number): number {
    return this.#balance < 0 ? 0 : this.#balance + MOST_RISKED * plainRound;
  }

  /**
   * @param seconds what the round took
   * @param plain what the tokens that it gave would have taken without drafts
   * @param plainRound what a round without drafts takes
   */
  book(seconds: number, plain: number, plainRound: number): void {
    const balance = this.#balance + plain - seconds + SHARE * Math.min(seconds, plain);
    this.#balance = Math.min(MOST_SAVED * plainRound, Math.max(-MOST_OWED * plainRound, balance));
  }
}
