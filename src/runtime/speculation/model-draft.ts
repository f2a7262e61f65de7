/** What a draft model thinks comes next. */
export interface ModelDraft {
  readonly tokens: readonly number[];
  /** The probability that it gives each. */
  readonly probabilities: readonly number[];
}

/** Drafts with a small model beside the head; `draft-model.ts` computes, tests script. */
export interface Drafter {
  /** Measured: what one drafted token costs, and one token that it did not know of yet. */
  readonly secondsPerToken: number;
  readonly secondsPerRow: number;
  /** How many of the tokens it has yet to learn before it can draft what follows them. */
  behind(sequence: number, tokens: readonly number[]): number;
  /**
   * Drafts up to `count` tokens that follow `tokens`, the whole of the sequence. Calls back once, with no tokens if that
   * cannot be, or if the sequence is drafted for again or cancelled meanwhile.
   */
  draft(
    sequence: number,
    tokens: readonly number[],
    count: number,
    onDone: (draft: ModelDraft, seconds: number) => void,
  ): void;
  cancel(sequence: number): void;
  /** Called after a round's drafts were handed out. */
  onSettled(listener: () => void): void;
}
