import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { shortId } from "../../core/ids.js";
import { SCOPES, type Scope } from "./scopes.js";

/** An API key as it is kept: what it is for, and a hash by which it is known again. */
export interface StoredKey {
  readonly id: string;
  readonly name: string;
  /** Of the key's text; 64 hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since the Unix epoch. */
  readonly created: number;
  /** As `created`; `null`: never. */
  readonly expires: number | null;
}

const time = z.int().min(0);

export const storedKeySchema: z.ZodType<StoredKey> = z.strictObject({
  id: z.string().min(1).max(64),
  name: z.string().max(200),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(SCOPES)).min(1),
  created: time,
  expires: time.nullable(),
});

/** By which programs that look for lost secrets can know one of ours. */
const PREFIX = "exo-key-";
/** As many as the hash has: nobody guesses it, so a plain and quick hash is enough. */
const SECRET_BYTES = 32;

export interface KeyWishes {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since the Unix epoch. */
  readonly created: number;
  readonly expires: number | null;
}

/** A new key: the text, which nobody can find out again later, and what is kept of it. */
export function newKey(wishes: KeyWishes): { readonly secret: string; readonly stored: StoredKey } {
  const secret = PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
  return { secret, stored: { id: shortId(), ...wishes, sha256: hashOfKey(secret).toString("hex") } };
}

export function hashOfKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

export function isExpired({ expires }: Pick<StoredKey, "expires">, now: number): boolean {
  return expires !== null && now >= expires;
}
