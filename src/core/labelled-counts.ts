/** What all further sets of labels are counted as. */
const OTHER = "other";

/** One counter for each set of labels that occurred, up to a number of them: all further ones share one. */
export class LabelledCounts {
  readonly #most: number;
  readonly #counts = new Map<string, { readonly labels: readonly string[]; count: number }>();

  /** @param most sets of labels that are told apart */
  constructor(most = 1000) {
    this.#most = most;
  }

  add(labels: readonly string[], count = 1): void {
    this.#entry(labels).count += count;
  }

  *[Symbol.iterator](): IterableIterator<{ readonly labels: readonly string[]; readonly value: number }> {
    for (const { labels, count } of this.#counts.values()) yield { labels, value: count };
  }

  #entry(labels: readonly string[]): { count: number } {
    const known = this.#counts.get(keyOf(labels));
    if (known !== undefined) return known;
    if (this.#counts.size < this.#most) return this.#create(labels);
    const others = labels.map(() => OTHER);
    return this.#counts.get(keyOf(others)) ?? this.#create(others);
  }

  #create(labels: readonly string[]): { count: number } {
    const entry = { labels, count: 0 };
    this.#counts.set(keyOf(labels), entry);
    return entry;
  }
}

function keyOf(labels: readonly string[]): string {
  return labels.join("\n");
}
