import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { z } from "zod";
import { diskError } from "./disk-error.js";

/**
 * What is known of a half-fetched file, kept beside it so that another process can go on. The bytes at hand may be
 * continued only while the server still has the same version, which the validator (RFC 9110 §13.1.5) proves.
 */
const schema = z.object({
  url: z.string(),
  /** Strong ETag, else Last-Modified, of the version that the bytes are of. */
  validator: z.string().min(1),
  total: z.number().int().nonnegative().nullable(),
});

export type PartState = z.infer<typeof schema>;

export interface PartAtHand extends PartState {
  /** Bytes of the file that are here. */
  readonly have: number;
}

export function partPath(destination: string): string {
  return `${destination}.part`;
}

function statePath(destination: string): string {
  return `${destination}.part.json`;
}

/** The state and the bytes at hand; `null` when there is nothing to go on from. */
export async function readPartState(destination: string, url: string): Promise<PartAtHand | null> {
  try {
    const state = schema.parse(JSON.parse(await readFile(statePath(destination), "utf8")));
    const { size } = await stat(partPath(destination));
    return state.url === url && size > 0 ? { ...state, have: size } : null;
  } catch {
    // Absent or damaged: the download starts over.
    return null;
  }
}

export async function writePartState(destination: string, state: PartState): Promise<void> {
  await writeFile(statePath(destination), JSON.stringify(state)).catch((thrown: unknown) => {
    throw diskError(thrown, statePath(destination)) ?? thrown;
  });
}

export async function clearPartState(destination: string): Promise<void> {
  await rm(statePath(destination), { force: true });
}

export async function discardPart(destination: string): Promise<void> {
  await clearPartState(destination);
  await rm(partPath(destination), { force: true });
}
