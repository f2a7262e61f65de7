import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ExoError } from "../core/errors.js";

const READ_BYTES = 2 ** 20;

export interface HashOptions {
  readonly signal: AbortSignal;
  onBytes?(count: number): void;
}

/** Digest of a file in `encoding`, read once from the disk. */
export async function hashFile(
  path: string,
  algorithm: "sha256" | "sha384" | "sha512",
  encoding: "hex" | "base64",
  options: HashOptions,
): Promise<string> {
  const hash = createHash(algorithm);
  try {
    const stream = createReadStream(path, { highWaterMark: READ_BYTES, signal: options.signal });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      options.onBytes?.(chunk.length);
    }
  } catch (thrown) {
    if (options.signal.aborted) throw new ExoError("cancelled", `Checking ${path} was cancelled.`, { cause: thrown });
    throw thrown;
  }
  return hash.digest(encoding);
}

const ALGORITHMS = ["sha512", "sha384", "sha256"] as const;

/** Checks a file against npm's `integrity` (W3C SRI: `algorithm-base64`, several separated by blanks). */
export async function matchesIntegrity(path: string, integrity: string, options: HashOptions): Promise<boolean> {
  const entries = integrity.split(/\s+/);
  const algorithm = ALGORITHMS.find((name) => entries.some((entry) => entry.startsWith(`${name}-`)));
  if (algorithm === undefined) return false;
  const digest = await hashFile(path, algorithm, "base64", options);
  return entries.some((entry) => entry.split("?")[0] === `${algorithm}-${digest}`);
}
