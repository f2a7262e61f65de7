import { parseDuration } from "../../config/duration.js";
import { changeKeyFile, keyFilePath, readKeyFile } from "../../config/keys/key-file.js";
import { DEFAULT_SCOPES, SCOPES, type Scope } from "../../config/keys/scopes.js";
import { isExpired, newKey, type StoredKey } from "../../config/keys/stored-key.js";
import { ExoError } from "../../core/errors.js";
import { readConfig } from "../config-flags.js";
import { UsageError } from "../failure.js";
import type { CliIo } from "../terminal/cli-io.js";
import { inColumns } from "../terminal/columns.js";
import { paintFor } from "../terminal/paint.js";

type Options = Readonly<Record<string, unknown>>;

/** The key alone goes to standard output, so that a script can take it from there. */
export async function createKey(options: Options, io: CliIo): Promise<void> {
  const created = Date.now();
  const name = textOf(options.name) ?? "";
  if (name.length > 200) throw new UsageError("Expected a name of at most 200 characters for --name.");
  const wishes = { name, scopes: scopesOf(options.scope), created, expires: expiryOf(options.expires, created) };
  const { secret, stored } = newKey(wishes);
  const path = await pathOf(options, io);
  const isFirst = (await readKeyFile(path)) === null;
  await changeKeyFile(path, (keys) => [...keys, stored]);
  if (options.json === true) return printJson({ key: secret, ...shown(stored) }, io);
  io.stderr.write(`Key ${stored.id}, good for ${stored.scopes.join(", ")}. It is shown this once:\n`);
  io.stdout.write(`${secret}\n`);
  if (isFirst) io.stderr.write("From now on the HTTP API of this machine's nodes asks for a key.\n");
}

export async function listKeys(options: Options, io: CliIo): Promise<void> {
  const keys = await readKeyFile(await pathOf(options, io));
  if (options.json === true) return printJson({ keys: (keys ?? []).map(shown) }, io);
  if (keys === null || keys.length === 0) {
    const none = keys === null ? "the HTTP API asks for none" : "nobody can use the HTTP API";
    io.stdout.write(`There are no keys: ${none}, unless a node was started with --api-key.\n`);
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  const rows = keys.map((key) => [key.id, key.name, key.scopes.join(","), paint("dim", timesOf(key, Date.now()))]);
  io.stdout.write(`${inColumns(rows).join("\n")}\n`);
}

export async function revokeKey(id: string, options: Options, io: CliIo): Promise<void> {
  const path = await pathOf(options, io);
  const gone = theKey((await readKeyFile(path)) ?? [], id);
  await changeKeyFile(path, (keys) => keys.filter((key) => key.id !== gone.id));
  if (options.json === true) printJson({ revoked: shown(gone) }, io);
  else io.stdout.write(`Key ${gone.id}${gone.name === "" ? "" : ` (${gone.name})`} is good for nothing any more.\n`);
}

function theKey(keys: readonly StoredKey[], id: string): StoredKey {
  const byId = keys.filter((key) => key.id === id);
  const meant = byId.length > 0 ? byId : keys.filter(({ name }) => name === id);
  const [key] = meant;
  if (key !== undefined && meant.length === 1) return key;
  const why = key === undefined ? "there is no such key" : `${meant.length} keys have this name`;
  throw new ExoError("invalid_argument", `${JSON.stringify(id)} cannot be revoked: ${why}; see exo-native keys list.`);
}

function scopesOf(input: unknown): readonly Scope[] {
  const words = textOf(input)
    ?.split(",")
    .map((word) => word.trim());
  if (words === undefined) return DEFAULT_SCOPES;
  const scopes = SCOPES.filter((scope) => words.includes(scope));
  if (scopes.length === new Set(words).size) return scopes;
  throw new UsageError(`Expected any of ${SCOPES.join(", ")}, separated by commas, for --scope.`);
}

function expiryOf(input: unknown, now: number): number | null {
  const text = textOf(input);
  if (text === null) return null;
  const seconds = parseDuration(text);
  if (seconds === null || seconds <= 0) throw new UsageError('Expected a time such as "12h" or "30d" for --expires.');
  return now + Math.ceil(seconds * 1000);
}

function timesOf(key: StoredKey, now: number): string {
  const made = `made ${dayOf(key.created)}`;
  if (key.expires === null) return made;
  return `${made}, ${isExpired(key, now) ? "expired" : "expires"} ${dayOf(key.expires)}`;
}

function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function shown({ id, name, scopes, created, expires }: StoredKey) {
  const expiry = expires === null ? null : new Date(expires).toISOString();
  return { id, name, scopes, created: new Date(created).toISOString(), expires: expiry };
}

async function pathOf(options: Options, io: CliIo): Promise<string> {
  return keyFilePath((await readConfig(options, io)).paths.configDir);
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function printJson(document: unknown, io: CliIo): void {
  io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
