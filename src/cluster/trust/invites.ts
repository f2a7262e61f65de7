import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { INVITE_ID_BYTES, SECRET_BYTES } from "../../config/join-token.js";
import { ExoError } from "../../core/errors.js";
import { readPrivate, writePrivate } from "./private-file.js";
import { INVITES, type TrustStore } from "./trust-store.js";

const use = z.object({ nodeId: z.string(), name: z.string(), at: z.number() });

const invite = z.object({
  id: z.string(),
  /** SHA-256, hexadecimal. The secret is 128 random bits: guessing it is as hard as guessing a key. */
  secretHash: z.string(),
  createdAt: z.number(),
  /** Milliseconds since the Unix epoch. */
  expiresAt: z.number(),
  uses: z.int().positive(),
  admin: z.boolean(),
  used: z.array(use),
});
export type Invite = z.infer<typeof invite>;

const book = z.object({ version: z.literal(1), invites: z.array(invite) });

/** Long enough that whoever comes late hears why. */
const KEPT_MS = 30 * 86_400_000;
const MOST_INVITES = 1000;

export interface InviteOptions {
  readonly lifetimeMs: number;
  readonly uses: number;
  readonly admin: boolean;
}

export interface InviteKey {
  /** Hexadecimal, both. */
  readonly id: string;
  readonly secret: string;
}

/** The invites that this node gave, and who used them. Every use is on the disk before it counts. */
export class InviteBook {
  readonly #store: TrustStore;

  constructor(store: TrustStore) {
    this.#store = store;
  }

  async create(
    { lifetimeMs, uses, admin }: InviteOptions,
    now: number,
  ): Promise<InviteKey & { readonly expiresAt: number }> {
    const id = randomBytes(INVITE_ID_BYTES).toString("hex");
    const secret = randomBytes(SECRET_BYTES).toString("hex");
    // As the token tells it.
    const expiresAt = Math.floor((now + lifetimeMs) / 1000) * 1000;
    const fresh = { id, secretHash: hashOf(secret).toString("hex"), createdAt: now, expiresAt, uses, admin, used: [] };
    await this.#store.locked(async () => {
      const kept = (await this.#read()).filter((one) => now - one.expiresAt < KEPT_MS);
      if (kept.length >= MOST_INVITES)
        throw new ExoError("overloaded", "There are a thousand invites; wait until some end.");
      await this.#write([...kept, fresh]);
    });
    return { id, secret, expiresAt };
  }

  /** Whether somebody may come in with this; else `unauthorized`, with the reason. Nothing is used up. */
  async check(key: InviteKey, now: number): Promise<Invite> {
    return usable(await this.#read(), key, now);
  }

  /** Uses it for this node. The same node may ask again: its answer may have been lost. */
  async use(key: InviteKey, node: { readonly id: string; readonly name: string }, now: number): Promise<Invite> {
    return this.#store.locked(async () => {
      const all = await this.#read();
      const found = usable(all, key, now, node.id);
      if (found.used.some(({ nodeId }) => nodeId === node.id)) return found;
      const after = { ...found, used: [...found.used, { nodeId: node.id, name: node.name, at: now }] };
      await this.#write(all.map((one) => (one === found ? after : one)));
      return after;
    });
  }

  async #read(): Promise<readonly Invite[]> {
    const text = await readPrivate(this.#store.path(INVITES));
    return text === null ? [] : book.parse(JSON.parse(text)).invites;
  }

  async #write(invites: readonly Invite[]): Promise<void> {
    await writePrivate(this.#store.path(INVITES), `${JSON.stringify({ version: 1, invites }, null, 2)}\n`);
  }
}

function usable(invites: readonly Invite[], { id, secret }: InviteKey, now: number, nodeId?: string): Invite {
  const found = invites.find((one) => one.id === id);
  // Also of an unknown invite nothing is told that a wrong secret would not be told.
  if (found === undefined || !timingSafeEqual(hashOf(secret), Buffer.from(found.secretHash, "hex"))) {
    throw refused("The token is not one that this node gave. Ask for a new one: exo-native cluster invite");
  }
  if (now >= found.expiresAt) {
    const when = new Date(found.expiresAt).toISOString().slice(0, 16).replace("T", " ");
    throw refused(`The token ended at ${when} UTC. Ask for a new one: exo-native cluster invite`);
  }
  const again = nodeId !== undefined && found.used.some((one) => one.nodeId === nodeId);
  const [last] = found.used.slice(-1);
  if (found.used.length >= found.uses && last !== undefined && !again && nodeId !== undefined) {
    const times = found.uses === 1 ? "once" : `${found.uses} times`;
    throw refused(
      `The token was used already, by ${last.name}; it is good for ${times}. Ask for a new one: exo-native cluster invite`,
    );
  }
  return found;
}

function refused(sentence: string): ExoError {
  return new ExoError("unauthorized", sentence);
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret, "hex").digest();
}
