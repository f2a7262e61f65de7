/** Tokens of one block: prefixes are found by whole blocks, and then compared token by token within the next one. */
export const BLOCK_TOKENS = 16;

/** Hash of no block at all. */
const ROOT = 0;

/** Hears which blocks a sequence holds; a block's hash covers everything before it too. */
export interface BlockListener {
  onBlock(hash: number, holder: CachedTokens): void;
  onBlockGone(hash: number, holder: CachedTokens): void;
}

/**
 * The tokens whose KV entries one sequence holds, on every stage or on their way there in frame order. `reusable` of them
 * are as any other run would compute them, so that another prompt may begin with them.
 */
export class CachedTokens {
  readonly #listener: BlockListener;
  readonly #tokens: number[] = [];
  /** Of each whole block of the reusable tokens. */
  readonly #hashes: number[] = [];
  #shifted = false;

  constructor(listener: BlockListener) {
    this.#listener = listener;
  }

  get length(): number {
    return this.#tokens.length;
  }

  /** None after a shift: what came after the tokens that were dropped was computed with them in sight. */
  get reusable(): number {
    return this.#shifted ? 0 : this.#tokens.length;
  }

  get tokens(): readonly number[] {
    return this.#tokens;
  }

  push(token: number): void {
    this.#tokens.push(token);
    if (!this.#shifted && this.#tokens.length % BLOCK_TOKENS === 0) this.#addBlock();
  }

  /** Keeps the first `length` tokens. */
  truncate(length: number): void {
    this.#tokens.length = Math.min(length, this.#tokens.length);
    this.#dropBlocks(Math.floor(this.#tokens.length / BLOCK_TOKENS));
    if (length === 0) this.#shifted = false;
  }

  /** Becomes the first `length` tokens of another sequence. */
  become(source: CachedTokens, length: number): void {
    this.truncate(0);
    for (const token of source.#tokens.slice(0, length)) this.push(token);
  }

  /** Drops `count` tokens after the first `keep`; those that follow move up. */
  shift(keep: number, count: number): void {
    this.#tokens.splice(keep, count);
    this.#shifted = true;
    this.#dropBlocks(0);
  }

  /** Of the reusable tokens, how many from `from` on are those of `tokens`; together with `from`. */
  commonPrefix(tokens: readonly number[], from = 0): number {
    return this.#shifted ? 0 : commonLength(this.#tokens, tokens, from);
  }

  #addBlock(): void {
    const hash = chain(this.#hashes.at(-1) ?? ROOT, this.#tokens, this.#tokens.length - BLOCK_TOKENS);
    this.#hashes.push(hash);
    this.#listener.onBlock(hash, this);
  }

  #dropBlocks(keep: number): void {
    for (const hash of this.#hashes.splice(keep)) this.#listener.onBlockGone(hash, this);
  }
}

/** Hashes of the whole blocks of `tokens`, each as it is asked for. */
export function* blockHashes(tokens: readonly number[]): Generator<number, void> {
  let hash = ROOT;
  for (let at = 0; at + BLOCK_TOKENS <= tokens.length; at += BLOCK_TOKENS) {
    hash = chain(hash, tokens, at);
    yield hash;
  }
}

/** How many tokens two texts begin with in common, if the first `from` are known to be. */
export function commonLength(a: readonly number[], b: readonly number[], from = 0): number {
  const most = Math.min(a.length, b.length);
  let length = from;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}

const HIGH = 2 ** 32;
/** A double holds 53 bits exactly. */
const HIGH_BITS = 0x1f_ff_ff;

/** Hash of the block at `at` and of all before it: 53 bits, from two lanes of murmur3. */
function chain(previous: number, tokens: readonly number[], at: number): number {
  let low = previous | 0;
  let high = Math.floor(previous / HIGH);
  for (let index = at; index < at + BLOCK_TOKENS; index += 1) {
    const token = tokens[index] ?? 0;
    low = mix(low, Math.imul(token, 0xcc_9e_2d_51));
    high = mix(high, Math.imul(token, 0x1b_87_35_93) ^ low);
  }
  return (high & HIGH_BITS) * HIGH + (low >>> 0);
}

function mix(hash: number, word: number): number {
  const mixed = hash ^ ((word << 15) | (word >>> 17));
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6_54_6b_64) | 0;
}
