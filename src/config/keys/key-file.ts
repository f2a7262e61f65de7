import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { lock } from "proper-lockfile";
import { z } from "zod";
import { ExoError } from "../../core/errors.js";
import { type StoredKey, storedKeySchema } from "./stored-key.js";

const MOST_KEYS = 10_000;

const schema = z.strictObject({ version: z.literal(1), keys: z.array(storedKeySchema).max(MOST_KEYS) });

/** Where the API keys of this machine's nodes are kept. */
export function keyFilePath(configDir: string): string {
  return join(configDir, "api-keys.json");
}

/** `null`: there is no such file. Throws `invalid_argument` for one that cannot be used. */
export async function readKeyFile(path: string): Promise<readonly StoredKey[] | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return null;
    throw unusable(path, thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
  const result = schema.safeParse(parsed(text));
  if (result.success) return result.data.keys;
  const at = result.error.issues[0]?.path.join(".") ?? "";
  throw unusable(path, `it is damaged${at === "" ? "" : ` at ${at}`}`, result.error);
}

/** Replaces the keys by what `change` makes of them, in one step and one process at a time. */
export async function changeKeyFile(
  path: string,
  change: (keys: readonly StoredKey[]) => readonly StoredKey[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const release = await alone(path);
  try {
    const keys = change((await readKeyFile(path)) ?? []);
    await replace(path, `${JSON.stringify({ version: 1, keys }, null, 2)}\n`);
  } finally {
    await release();
  }
}

function alone(path: string): Promise<() => Promise<void>> {
  // There may be no file yet, and where it lies does not change meanwhile.
  return lock(path, { realpath: false, retries: { retries: 20, minTimeout: 20, maxTimeout: 500 } });
}

async function replace(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomUUID()}`;
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: "wx" });
    // Whatever the process's mask says.
    await chmod(fresh, 0o600);
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
}

function unusable(path: string, why: string, cause: unknown): ExoError {
  return new ExoError(
    "invalid_argument",
    `The file of API keys ${path} cannot be used: ${why}. Mend it, or remove it and make new keys with \`exo-native keys create\`.`,
    { cause },
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? Reflect.get(thrown, "code") : null;
}
