import { readFile, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import type { Message } from "./conversation.js";

/** A file larger than this is none of ours. Bytes. */
const LARGEST_FILE = 64 * 2 ** 20;

/** Marks a file as one that `/save` made, which `/save` may replace. */
const KIND = "exo-native chat";

const schema = z.object({
  kind: z.literal(KIND),
  model: z.string(),
  messages: z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })),
});

export interface SavedChat {
  readonly model: string;
  readonly messages: readonly Message[];
}

/** Writes a chat for its owner's eyes. A file that is there and holds something else stays. Returns the whole path. */
export async function saveChat(path: string, { model, messages }: SavedChat): Promise<string> {
  const file = pathOf(path);
  if (await isThere(file)) await loadChat(path).catch(refuseToReplace(file));
  const text = `${JSON.stringify({ kind: KIND, model, messages }, null, 2)}\n`;
  await writeFile(file, text, { mode: 0o600 }).catch(failure(`The chat cannot be written to ${file}`));
  return file;
}

/** @throws `invalid_argument` when there is no such file, or it is not what `/save` writes. */
export async function loadChat(path: string): Promise<SavedChat> {
  const file = pathOf(path);
  const { size } = await stat(file).catch(failure(`There is no chat to be read at ${file}`));
  const wrong = `${file} is not a chat that /save has written.`;
  if (size > LARGEST_FILE) throw new ExoError("invalid_argument", wrong);
  const text = await readFile(file, "utf8").catch(failure(`${file} cannot be read`));
  const result = schema.safeParse(parsed(text));
  if (result.success) return result.data;
  throw new ExoError("invalid_argument", wrong);
}

function pathOf(path: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(path);
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function refuseToReplace(path: string): () => never {
  return () => {
    throw new ExoError("invalid_argument", `${path} is there already and is no saved chat; choose another name.`);
  };
}

function failure(what: string): (thrown: unknown) => never {
  return (thrown) => {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ExoError("invalid_argument", `${what}: ${why}.`, { cause: thrown });
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
