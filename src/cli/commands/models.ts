import { formatByteSize } from "../../config/byte-size.js";
import { ExoError } from "../../core/errors.js";
import { CATALOGUE, type CatalogueEntry } from "../../model/catalogue.js";
import type { CachedModel } from "../../model/model-cache.js";
import type { VerifyResult } from "../../model/verify-model.js";
import { readConfig } from "../config-flags.js";
import { EXIT } from "../failure.js";
import { openModelStore } from "../model-store.js";
import { StopRequest } from "../stop-request.js";
import type { CliIo } from "../terminal/cli-io.js";
import { inColumns } from "../terminal/columns.js";
import { DownloadDisplay } from "../terminal/download-display.js";
import { paintFor } from "../terminal/paint.js";
import { StatusScreen } from "../terminal/status-screen.js";

type Options = Readonly<Record<string, unknown>>;

/** What is in the cache, and which names of the catalogue are not. */
export async function listModels(options: Options, io: CliIo): Promise<void> {
  const config = await readConfig(options, io);
  const models = await openModelStore(config, io).list();
  if (options.json === true) {
    printJson(
      { directory: config.paths.modelsDir, models: models.map(cachedModel), known: CATALOGUE.map(knownModel) },
      io,
    );
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  const cached = models.map((model) => [
    model.id,
    model.path === null ? paint("yellow", partText(model)) : formatByteSize(model.bytes),
    paint("dim", CATALOGUE.find(({ alias }) => alias === model.id)?.description ?? model.spec),
  ]);
  const present = new Set(models.map(({ id }) => id));
  const others = CATALOGUE.filter(({ alias }) => !present.has(alias));
  const known = others.map(({ alias, bytes, description }) => [
    alias,
    formatByteSize(bytes),
    paint("dim", description),
  ]);
  const lines = [
    ...(cached.length === 0 ? ["No models are kept here yet."] : inColumns(cached, ["left", "right"])),
    ...(known.length === 0
      ? []
      : ["", "Known by name, fetched when first used:", ...inColumns(known, ["left", "right"])]),
  ];
  io.stdout.write(`${lines.join("\n")}\n`);
}

/** `5.1 of 39.6 GiB`: a node of a ring keeps only its own part of a model. */
function partText({ bytes, total }: CachedModel): string {
  return total === null ? "incomplete" : `${formatByteSize(bytes)} of ${formatByteSize(total)}`;
}

function cachedModel({ completedAt, ...model }: CachedModel) {
  return { ...model, complete: model.path !== null, completed_at: completedAt };
}

function knownModel({ alias, description, source, bytes, licence, quants }: CatalogueEntry) {
  return { alias, description, source, bytes, licence, quants };
}

export async function pullModel(name: string, options: Options, io: CliIo): Promise<void> {
  const store = openModelStore(await readConfig(options, io), io);
  const model = await withProgress(name, io, (signal, display) =>
    store.resolve(name, { signal, onProgress: (progress) => display.update(progress) }),
  );
  const { id, spec, path, bytes, licence } = model;
  if (options.json === true) printJson({ id, spec, path, bytes, licence }, io);
  else io.stdout.write(`${id} is here: ${path} (${formatByteSize(bytes)})\n`);
}

export async function removeModel(name: string, options: Options, io: CliIo): Promise<void> {
  const removed = await openModelStore(await readConfig(options, io), io).remove(name);
  if (options.json === true) printJson({ removed: cachedModel(removed) }, io);
  else io.stdout.write(`${removed.id} is removed (${formatByteSize(removed.bytes)} freed).\n`);
}

/** Fails when a file is not what was fetched. */
export async function verifyModels(name: string | undefined, options: Options, io: CliIo): Promise<void> {
  const store = openModelStore(await readConfig(options, io), io);
  const names = name === undefined ? (await store.list()).map(({ spec }) => spec) : [name];
  const results: VerifyResult[] = [];
  for (const one of names) {
    results.push(
      await withProgress(one, io, (signal, display) =>
        store.verify(one, { signal, onProgress: (progress) => display.update(progress) }),
      ),
    );
  }
  if (options.json === true) printJson({ models: results }, io);
  else io.stdout.write(results.map((result) => `${result.id} ${verdict(result)}\n`).join(""));
  const damaged = results.filter(({ ok }) => !ok);
  if (damaged.length > 0) throw damagedError(damaged);
}

function verdict({ ok, files, parts = [] }: VerifyResult): string {
  const blocks = parts.reduce((sum, part) => sum + part.blocks, 0);
  const damaged = parts.reduce((sum, part) => sum + part.damaged.length, 0);
  if (damaged > 0) return `had ${damaged} damaged of ${blocks} blocks; they are fetched again when they are needed`;
  if (ok)
    return parts.length > 0 ? `is as it was fetched, as far as it is here (${blocks} blocks)` : "is as it was fetched";
  const wrong = files.filter(({ expected, actual }) => expected !== actual).map((file) => file.name);
  return wrong.length === 0 ? "is incomplete" : `is damaged: ${wrong.join(", ")}`;
}

function damagedError(damaged: readonly VerifyResult[]): ExoError {
  const names = damaged.map(({ id }) => id).join(", ");
  const first = damaged.find(({ parts }) => parts === undefined)?.id;
  const remedy =
    first === undefined
      ? "What is damaged is fetched again when it is needed."
      : `Remove and fetch again, e.g. "exo-native models rm ${first}" and "exo-native models pull ${first}".`;
  return new ExoError("invalid_model", `Not in order: ${names}. ${remedy}`);
}

/** Shows a bar while something runs; Ctrl-C ends it with what has come so far kept. */
async function withProgress<Result>(
  name: string,
  io: CliIo,
  work: (signal: AbortSignal, display: DownloadDisplay) => Promise<Result>,
): Promise<Result> {
  const display = new DownloadDisplay(new StatusScreen(io.stderr, io.now), paintFor(io.stderr, io.env), name, io.now);
  const stop = new StopRequest(process, io.now, () => process.exit(EXIT.failed));
  try {
    return await work(stop.signal, display);
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
    throw new ExoError("cancelled", "Stopped. What has come so far is kept: the same command goes on from there.");
  } finally {
    display.finish();
    stop.release();
  }
}

function printJson(document: unknown, io: CliIo): void {
  io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
