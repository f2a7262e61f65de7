import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../../core/errors.js";
import type { CatalogueEntry } from "../catalogue.js";
import { makeDirectory } from "../download.js";
import { type FetchTools, fetchModel } from "../fetch-model.js";
import { withFileLock } from "../file-lock.js";
import { readGgufInfo } from "../gguf-info.js";
import { webPage } from "../http-answer.js";
import { readManifest, type StoredFile, writeManifest, wrongFiles } from "../manifest.js";
import { type CacheEntry, describeEntry, dropEmptyEntry, readEntry } from "../model-cache.js";
import type { ProgressListener } from "../progress.js";
import type { RemoteFile } from "../remote-source.js";
import { readPublishedProgress, SharedProgress } from "../shared-progress.js";
import { discardParts, type PartTarget } from "./part-store.js";

export interface WholeRequest {
  readonly target: PartTarget;
  /** Asked only when something has to be fetched. */
  readonly files: (signal: AbortSignal) => Promise<readonly RemoteFile[]>;
  /** Of the joined file, for archives. */
  readonly fileName: string;
  readonly known: CatalogueEntry | null;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

const MOST_BYTES_BEFORE_HTML = 512;

/** Models whose files are fetched whole, each in one go. */
export class WholeStore {
  readonly #tools: FetchTools;

  constructor(tools: FetchTools) {
    this.#tools = tools;
  }

  /** Path of the first file. A model that is here whole needs no network. */
  async fetch(request: WholeRequest): Promise<string> {
    const { directory } = request.target;
    const entry = await readEntry(directory);
    const complete = entry?.complete === true ? entry : await this.#fetch(request, directory);
    const { path } = describeEntry(complete);
    if (path === null) throw new ExoError("internal", `The model in ${directory} vanished while it was fetched.`);
    return path;
  }

  async #fetch(request: WholeRequest, directory: string): Promise<CacheEntry> {
    const onWait = async (): Promise<void> => {
      const progress = await readPublishedProgress(directory);
      if (progress !== null) request.onProgress(progress);
    };
    await makeDirectory(directory);
    const lock = { signal: request.signal, onWait, sleep: this.#tools.io.sleep };
    return withFileLock(directory, lock, async (signal) => {
      const entry = await readEntry(directory);
      if (entry?.complete === true) return entry;
      if (entry !== null) await removeFiles(directory, await wrongFiles(directory, entry.manifest));
      return this.#fetchLocked(request, directory, signal);
    });
  }

  async #fetchLocked(request: WholeRequest, directory: string, signal: AbortSignal): Promise<CacheEntry> {
    const { id, spec, pinned } = request.target;
    await makeDirectory(directory);
    // What peers gave of a model that comes whole in another way; it may bear the same name.
    await discardParts(directory);
    const before = await readManifest(directory);
    const base = { spec, id, aliases: before?.aliases ?? [], source: pinned ?? before?.source ?? null };
    await writeManifest(directory, { ...base, completedAt: null, files: [] });
    const shared = new SharedProgress(directory);
    const onProgress: ProgressListener = (progress) => {
      request.onProgress(progress);
      shared.publish(progress);
    };
    const { fileName, known } = request;
    try {
      const files = await request.files(signal);
      const expected = known === null || known.sha256 === null ? null : { bytes: known.bytes, sha256: known.sha256 };
      const stored = await fetchModel({ files, fileName, directory, expected, signal, onProgress }, this.#tools);
      await refuseOtherFiles(directory, stored, files[0]?.archive === null ? files[0].url : null);
      const completedAt = new Date(this.#tools.io.clock.wall()).toISOString();
      const manifest = { ...base, completedAt, files: [...stored] };
      await writeManifest(directory, manifest);
      const bytes = stored.reduce((sum, file) => sum + file.bytes, 0);
      return { directory, manifest, complete: true, bytes, total: bytes, partial: new Map() };
    } finally {
      await shared.withdraw();
      await dropEmptyEntry(directory);
    }
  }
}

/** What a server sends with status 200 need not be a model; such files are not kept. */
async function refuseOtherFiles(directory: string, files: readonly StoredFile[], source: string | null): Promise<void> {
  const path = join(directory, files[0]?.name ?? "");
  try {
    await readGgufInfo(path);
  } catch (thrown) {
    const isPage = source !== null && (await beginsAsWebPage(path));
    await removeFiles(directory, files);
    throw isPage ? webPage(source) : thrown;
  }
}

/** Servers do not always say what they send. */
async function beginsAsWebPage(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES_BEFORE_HTML), 0, MOST_BYTES_BEFORE_HTML, 0);
    return /^\s*<(!doctype\s+html|html)\b/i.test(buffer.toString("latin1", 0, bytesRead));
  } finally {
    await file.close();
  }
}

async function removeFiles(directory: string, files: readonly StoredFile[]): Promise<void> {
  for (const { name } of files) await rm(join(directory, name), { force: true });
}
