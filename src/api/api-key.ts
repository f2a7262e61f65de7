import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { ExoError } from "../core/errors.js";

/** Throws `unauthorized` unless the headers carry one of the keys. Without keys everyone may pass. */
export function createKeyCheck(keys: readonly string[]): (headers: IncomingHttpHeaders) => void {
  if (keys.length === 0) return () => {};
  const digests = keys.map(digest);
  return (headers) => {
    const given = presentedKey(headers);
    if (given === null) {
      throw new ExoError("unauthorized", "This node asks for an API key; send it as `Authorization: Bearer <key>`.");
    }
    const givenDigest = digest(given);
    if (digests.some((expected) => timingSafeEqual(expected, givenDigest))) return;
    throw new ExoError("unauthorized", "The API key is wrong; ask whoever runs this node for one (`--api-key`).");
  };
}

function presentedKey(headers: IncomingHttpHeaders): string | null {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.authorization ?? "")?.[1];
  const plain = headers["x-api-key"];
  return bearer ?? (typeof plain === "string" ? plain : null);
}

/** Equal lengths for `timingSafeEqual`. */
function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
