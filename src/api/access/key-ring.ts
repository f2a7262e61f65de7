import { timingSafeEqual } from "node:crypto";
import { stat } from "node:fs/promises";
import { readKeyFile } from "../../config/keys/key-file.js";
import { SCOPES, type Scope } from "../../config/keys/scopes.js";
import { hashOfKey, isExpired, type StoredKey } from "../../config/keys/stored-key.js";
import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";

export interface KeyRingOptions {
  /** Keys of the settings, good for everything. */
  readonly plain: readonly string[];
  /** The file of the others; `null`: none is looked for. */
  readonly file: string | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A key that is right. */
export interface GoodKey {
  /** Of the hash of the key. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
}

/** Looking at the file's date is cheap, and yet nothing for each of a thousand requests a second. Milliseconds. */
const LOOK_AGAIN_MS = 250;

/** The keys that are good now. The file is read again when it has changed. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #plain: readonly Buffer[];
  /** `null`: there never was a file. */
  #stored: ReadonlyMap<string, StoredKey> | null = null;
  #stamp = "";
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#plain = options.plain.map(hashOfKey);
  }

  /** Reads the file for the first time. Throws `invalid_argument` when it cannot be used: nobody gets in by damaging it. */
  async open(): Promise<void> {
    const { file } = this.#options;
    if (file === null) return;
    this.#stamp = await stampOf(file);
    this.#keep(await readKeyFile(file));
  }

  /** Whether a key is asked for. Where keys were once, they are from then on: taking the file away opens nothing. */
  get required(): boolean {
    return this.#plain.length > 0 || this.#stored !== null;
  }

  /** Takes up what has changed in the file. Never rejects. */
  async refresh(): Promise<void> {
    const { file, clock } = this.#options;
    if (file === null || clock.monotonic() - this.#lookedAt < LOOK_AGAIN_MS) return;
    this.#looking ??= this.#look(file).finally(() => {
      this.#lookedAt = clock.monotonic();
      this.#looking = null;
    });
    await this.#looking;
  }

  /**
   * The key that this text is, or `null`. How long that takes says nothing of how near it came: keys are looked up by
   * their hash, of which nobody can choose a part.
   *
   * @param withPlain also those of the settings, which may be short enough to be guessed
   */
  find(text: string, withPlain: boolean): GoodKey | null {
    const given = hashOfKey(text);
    const sha256 = given.toString("hex");
    let good: GoodKey | null = null;
    if (withPlain) {
      for (const hash of this.#plain) if (timingSafeEqual(hash, given)) good = { sha256, scopes: SCOPES };
    }
    const stored = this.#stored?.get(sha256);
    if (stored === undefined || isExpired(stored, this.#options.clock.wall())) return good;
    return good ?? { sha256, scopes: stored.scopes };
  }

  async #look(file: string): Promise<void> {
    const stamp = await stampOf(file);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#keep(await readKeyFile(file));
      this.#options.logger.info({ keys: this.#stored?.size ?? 0 }, "the API keys have changed");
    } catch (thrown) {
      // Somebody wanted keys: without one that can be read nobody gets in.
      this.#stored ??= new Map();
      this.#options.logger.error({}, `${ExoError.from(thrown).message} The keys that it held before stay good.`);
    }
  }

  #keep(keys: readonly StoredKey[] | null): void {
    if (keys === null && this.#stored === null) return;
    this.#stored = new Map((keys ?? []).map((key) => [key.sha256, key]));
  }
}

/** Changes whenever the file is replaced. */
async function stampOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => null);
  return found === null ? "" : `${found.ino}:${found.size}:${found.mtimeMs}`;
}
