import { randomBytes, randomUUID } from "node:crypto";

/** An id as OpenAI clients expect it, e.g. `chatcmpl-…`. */
export function newId(prefix: string): string {
  return `${prefix}-${randomUUID().replaceAll("-", "")}`;
}

/** A short id that is easy to read in logs and URLs: 40 random bits in base32. */
export function shortId(): string {
  const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  return [...randomBytes(8)].map((byte) => alphabet.charAt(byte % 32)).join("");
}

/** An id for a tool call whose model gives none, as OpenAI's look. */
export function toolCallId(): string {
  return `call_${randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
