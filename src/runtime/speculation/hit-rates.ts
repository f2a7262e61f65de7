interface Tally {
  hits: number;
  trials: number;
}

/** Trials after which an old one counts for a third. */
const MEMORY_OF_REQUEST = 32;
const MEMORY_OF_ALL = 512;
/** The weight of what is believed before, in trials. */
const WEIGHT_OF_PRIOR = 8;
const WEIGHT_OF_ALL = 4;

/**
 * How often guesses of several kinds come true. A request is judged by its own guesses, as soon as there are some, before
 * that by those of the requests before it, and in the very beginning by `priors`.
 */
export class HitRates {
  readonly #priors: readonly number[];
  readonly #tallies: readonly Tally[];

  /** @param priors for each kind of guess the probability that it comes true */
  constructor(priors: readonly number[]) {
    this.#priors = priors;
    this.#tallies = tallies(priors.length);
  }

  record(kind: number, hit: boolean): void {
    add(this.#tallies[kind], hit, MEMORY_OF_ALL);
  }

  probability(kind: number): number {
    return blend(this.#tallies[kind], this.#priors[kind] ?? 0, WEIGHT_OF_PRIOR);
  }

  forRequest(): RequestHitRates {
    return new RequestHitRates(this, this.#priors.length);
  }
}

/** The same for one request. */
export class RequestHitRates {
  readonly #all: HitRates;
  readonly #tallies: readonly Tally[];

  constructor(all: HitRates, kinds: number) {
    this.#all = all;
    this.#tallies = tallies(kinds);
  }

  record(kind: number, hit: boolean): void {
    this.#all.record(kind, hit);
    add(this.#tallies[kind], hit, MEMORY_OF_REQUEST);
  }

  probability(kind: number): number {
    return blend(this.#tallies[kind], this.#all.probability(kind), WEIGHT_OF_ALL);
  }
}

function tallies(count: number): Tally[] {
  return Array.from({ length: count }, () => ({ hits: 0, trials: 0 }));
}

function add(tally: Tally | undefined, hit: boolean, memory: number): void {
  if (tally === undefined) return;
  const kept = 1 - 1 / memory;
  tally.hits = tally.hits * kept + (hit ? 1 : 0);
  tally.trials = tally.trials * kept + 1;
}

function blend(tally: Tally | undefined, prior: number, weight: number): number {
  const { hits, trials } = tally ?? { hits: 0, trials: 0 };
  return (hits + weight * prior) / (trials + weight);
}
