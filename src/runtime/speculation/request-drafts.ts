import type { HitRates, RequestHitRates } from "./hit-rates.js";
import { LOSSES_OF_REQUEST, LossBudget } from "./loss-budget.js";
import type { ModelDraft } from "./model-draft.js";
import { NgramIndex } from "./ngram-index.js";

/** Tokens that may come next, and for each the probability that it and all before it will. */
export interface Guess {
  readonly tokens: readonly number[];
  readonly survival: readonly number[];
}

const NO_GUESS: Guess = { tokens: [], survival: [] };

/** Where the kinds of n-gram guesses begin, by how many tokens matched; and what they are worth on text of no kind. */
const MATCHES = [3, 4, 6, 9, 14, 22];
export const NGRAM_PRIORS = [0.35, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Where the kinds of a draft model's tokens begin, by the probability it gives them; the last kind is all of them. */
const CONFIDENCES = [0, 0.5, 0.8, 0.95];
const ANY_CONFIDENCE = CONFIDENCES.length;
export const MODEL_PRIORS = [0.3, 0.6, 0.8, 0.93, 0.7];

/**
 * What is known about the next tokens of one request. Every token that the request gets is compared with the guess made
 * for it, whether a draft of it was computed or not: so the worth of guesses is known before any is paid for.
 */
export class RequestDrafts {
  readonly #index: NgramIndex | null;
  readonly #ngrams: RequestHitRates;
  readonly #models: RequestHitRates;
  #modelDraft: ModelDraft = { tokens: [], probabilities: [] };
  /** The draft model is at work for it. */
  drafting = false;
  /** What the draft model took for the coming round. */
  draftSeconds = 0;
  readonly budget = new LossBudget(LOSSES_OF_REQUEST);

  /** @param prompt its tokens, to copy from; `null`: nothing is copied */
  constructor(prompt: readonly number[] | null, ngrams: HitRates, models: HitRates) {
    this.#index = prompt === null ? null : new NgramIndex();
    if (prompt !== null) this.#index?.addAll(prompt);
    this.#ngrams = ngrams.forRequest();
    this.#models = models.forRequest();
  }

  /** A token of the answer. */
  add(token: number): void {
    const outcome = this.#index?.add(token) ?? null;
    if (outcome !== null) this.#ngrams.record(kindOf(MATCHES, outcome.matched), outcome.right);
    this.#judgeModel(token);
  }

  set modelDraft(draft: ModelDraft) {
    this.#modelDraft = draft;
  }

  /** The better of the guesses, of at most `most` tokens. */
  guess(most: number): Guess {
    const [copied, modelled] = [this.ngramGuess(most), this.#modelGuess(most)];
    return sum(modelled.survival) > sum(copied.survival) ? modelled : copied;
  }

  ngramGuess(most: number): Guess {
    const index = this.#index;
    if (index === null || index.matched === 0 || most <= 0) return NO_GUESS;
    const probabilities = Array.from({ length: most }, (_, ahead) =>
      this.#ngrams.probability(kindOf(MATCHES, index.matched + ahead)),
    );
    return { tokens: index.guess(most), survival: running(probabilities) };
  }

  /** How a draft that the model is yet to make would do. */
  expectedOfModel(most: number): readonly number[] {
    const probability = this.#models.probability(ANY_CONFIDENCE);
    return running(Array.from({ length: most }, () => probability));
  }

  #modelGuess(most: number): Guess {
    const { tokens, probabilities } = this.#modelDraft;
    const rates = probabilities.slice(0, most).map((own) => this.#models.probability(kindOf(CONFIDENCES, own)));
    return { tokens: tokens.slice(0, most), survival: running(rates) };
  }

  #judgeModel(token: number): void {
    const { tokens, probabilities } = this.#modelDraft;
    const [guessed] = tokens;
    const [probability] = probabilities;
    if (guessed === undefined || probability === undefined) return;
    const right = guessed === token;
    this.#models.record(kindOf(CONFIDENCES, probability), right);
    this.#models.record(ANY_CONFIDENCE, right);
    this.#modelDraft = right
      ? { tokens: tokens.slice(1), probabilities: probabilities.slice(1) }
      : { tokens: [], probabilities: [] };
  }
}

/** The last of the kinds that begins at `value` or before. */
function kindOf(begins: readonly number[], value: number): number {
  return Math.max(
    0,
    begins.findLastIndex((begin) => value >= begin),
  );
}

function running(probabilities: readonly number[]): number[] {
  let product = 1;
  return probabilities.map((probability) => {
    product *= probability;
    return product;
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
