import { BLOCK_TOKENS, type BlockListener, blockHashes, CachedTokens } from "./cached-tokens.js";

/**
 * Finds what sequences of the KV cache have in common with a prompt, by the hashes of their blocks: in steps of a block,
 * however many sequences there are. Hashes can collide by chance or by intent, so before tokens are reused they are
 * compared (`CachedTokens.commonPrefix`).
 */
export class PrefixIndex implements BlockListener {
  readonly #sequences: CachedTokens[] = [];
  readonly #holders = new Map<number, Set<CachedTokens>>();

  /** Adds an empty sequence. */
  addSequence(): CachedTokens {
    const sequence = new CachedTokens(this);
    this.#sequences.push(sequence);
    return sequence;
  }

  /** How many tokens at the start of `tokens` each sequence holds. */
  commonPrefixes(tokens: readonly number[]): ReadonlyMap<CachedTokens, number> {
    const found = new Map<CachedTokens, number>();
    let holders: Iterable<CachedTokens> = this.#sequences;
    let length = 0;
    for (const hash of blockHashes(tokens)) {
      const further = this.#holders.get(hash) ?? new Set();
      settle(found, holders, tokens, length, further);
      holders = further;
      length += BLOCK_TOKENS;
      if (further.size === 0) break;
    }
    settle(found, holders, tokens, length, new Set());
    return found;
  }

  onBlock(hash: number, holder: CachedTokens): void {
    const holders = this.#holders.get(hash);
    if (holders === undefined) this.#holders.set(hash, new Set([holder]));
    else holders.add(holder);
  }

  onBlockGone(hash: number, holder: CachedTokens): void {
    const holders = this.#holders.get(hash);
    holders?.delete(holder);
    if (holders?.size === 0) this.#holders.delete(hash);
  }
}

/** Notes the length for those that do not hold the next block. */
function settle(
  found: Map<CachedTokens, number>,
  holders: Iterable<CachedTokens>,
  tokens: readonly number[],
  length: number,
  further: ReadonlySet<CachedTokens>,
): void {
  for (const holder of holders) if (!further.has(holder)) found.set(holder, holder.commonPrefix(tokens, length));
}
