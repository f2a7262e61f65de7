/** What the last token said of the guess made before it. */
export interface GuessOutcome {
  /** How many tokens before the guessed one had been the same as at the place it was copied from. */
  readonly matched: number;
  readonly right: boolean;
}

/** Fewer equal tokens than this say little about the next one. */
const LEAST_MATCH = 3;
/** Matches are not compared further back than this. */
const LONGEST_MATCH = 64;
/** Earlier places that are looked at when a match has ended, the newest first. */
const MOST_CANDIDATES = 32;
const HASH_BITS = 14;
const NOWHERE = -1;

/**
 * Finds where the end of a request's tokens (prompt and answer) stood before, so that what followed there can be guessed
 * to follow again. As deflate does it: a hash of the last few tokens leads to their last place, and each place to the
 * one before it with the same hash; so a token costs a constant number of steps and 8 bytes. A match is followed for
 * as long as it holds; how long it has held tells how good its next guess is, without computing anything.
 */
export class NgramIndex {
  #tokens = new Int32Array(1024);
  #length = 0;
  /** Hash → the last place where the tokens with this hash ended. */
  readonly #heads = new Int32Array(1 << HASH_BITS).fill(NOWHERE);
  /** Place → the place before it with the same hash. */
  #previous = new Int32Array(1024);
  /** The place whose token is guessed to be next, or `NOWHERE`. */
  #source = NOWHERE;
  #matched = 0;

  get length(): number {
    return this.#length;
  }

  /** How many of the last tokens the guess rests on; 0: there is none. */
  get matched(): number {
    return this.#source === NOWHERE ? 0 : this.#matched;
  }

  /** Adds tokens about which no guess is to be judged: the prompt. */
  addAll(tokens: readonly number[]): void {
    for (const token of tokens) this.#append(token);
    this.#search();
  }

  /** Adds the token that came next; says how the guess before it did, or `null` when there was none. */
  add(token: number): GuessOutcome | null {
    const source = this.#source;
    const outcome = source === NOWHERE ? null : { matched: this.#matched, right: this.#tokens[source] === token };
    this.#append(token);
    if (outcome?.right) {
      this.#source = source + 1;
      this.#matched = Math.min(this.#matched + 1, LONGEST_MATCH);
    } else {
      this.#search();
    }
    return outcome;
  }

  /** The next `count` tokens as guessed; none without a match. What repeats itself right now is guessed to go on so. */
  guess(count: number): number[] {
    if (this.#source === NOWHERE) return [];
    const period = this.#length - this.#source;
    return Array.from({ length: count }, (_, index) => this.#tokens[this.#source + (index % period)] ?? 0);
  }

  #append(token: number): void {
    if (this.#length === this.#tokens.length) this.#grow();
    const at = this.#length;
    this.#tokens[at] = token;
    this.#length += 1;
    if (this.#length < LEAST_MATCH) return;
    const hash = this.#hashAt(at);
    this.#previous[at] = this.#heads[hash] ?? NOWHERE;
    this.#heads[hash] = at;
  }

  /** Follows the earlier places with the same last tokens; takes the one where most tokens before are the same, too. */
  #search(): void {
    this.#source = NOWHERE;
    this.#matched = 0;
    if (this.#length <= LEAST_MATCH) return;
    const last = this.#length - 1;
    let place = this.#previous[last] ?? NOWHERE;
    for (let tried = 0; place !== NOWHERE && tried < MOST_CANDIDATES; tried += 1) {
      const matched = this.#sameBefore(place, last);
      if (matched >= LEAST_MATCH && matched > this.#matched) {
        this.#matched = matched;
        this.#source = place + 1;
      }
      place = this.#previous[place] ?? NOWHERE;
    }
  }

  /** How many tokens that end at `place` equal those that end at `last`. */
  #sameBefore(place: number, last: number): number {
    const most = Math.min(place + 1, LONGEST_MATCH);
    let count = 0;
    while (count < most && this.#tokens[place - count] === this.#tokens[last - count]) count += 1;
    return count;
  }

  #hashAt(at: number): number {
    let hash = 0;
    for (let back = 0; back < LEAST_MATCH; back += 1) {
      hash = Math.imul(hash ^ (this.#tokens[at - back] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash >>> (32 - HASH_BITS);
  }

  #grow(): void {
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(2 * old.length);
      larger.set(old);
      return larger;
    };
    this.#tokens = grown(this.#tokens);
    this.#previous = grown(this.#previous);
  }
}
