import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ExoError } from "../src/core/errors.js";
import { fileSha256 } from "./file-hash.js";
import type { LlamaLock } from "./lock.js";
import { npmPackageDirectory } from "./npm-package.js";

export interface PrebuiltLibraries {
  /** npm package they come from, e.g. `@node-llama-cpp/linux-x64`. */
  readonly packageName: string;
  readonly directory: string;
  /** File names in `directory`. `llama` is not used itself: ours takes its name. */
  readonly ggml: string;
  readonly ggmlBase: string;
  readonly llama: string;
  readonly llamaCommon: string;
  /** Backends that ggml loads at run time: CPU variants and GPU backends. */
  readonly backends: readonly string[];
}

export interface PlatformQuery {
  readonly root: string;
  readonly lock: LlamaLock;
  readonly platform?: NodeJS.Platform;
  readonly arch?: string;
  /** Platform packages by preference; the first one installed is taken. */
  readonly candidates?: readonly string[];
}

const buildMetadataSchema = z.object({
  buildOptions: z.object({ llamaCpp: z.object({ release: z.string() }) }),
});

// Not Windows: its packages hold DLLs without the import libraries a linker needs, so everything is compiled there.
const PLATFORMS: Readonly<Record<string, readonly string[]>> = {
  "linux-x64": ["linux-x64"],
  "linux-arm64": ["linux-arm64"],
  "darwin-arm64": ["mac-arm64-metal"],
  "darwin-x64": ["mac-x64"],
};

/**
 * The prebuilt libraries for this machine, checked against the lock; `null` when no package for it is installed. A
 * package of another release, or with a file whose hash is not the locked one, is refused.
 */
export async function findPrebuilt(query: PlatformQuery): Promise<PrebuiltLibraries | null> {
  const host = `${query.platform ?? process.platform}-${query.arch ?? process.arch}`;
  for (const name of query.candidates ?? PLATFORMS[host] ?? []) {
    const directory = npmPackageDirectory(query.root, `@node-llama-cpp/${name}`);
    if (directory !== null) return await checkedLibraries(query.lock, name, join(directory, "bins", name));
  }
  return null;
}

async function checkedLibraries(lock: LlamaLock, name: string, directory: string): Promise<PrebuiltLibraries> {
  const packageName = `@node-llama-cpp/${name}`;
  await checkRelease(lock, packageName, directory);
  const files = await readdir(directory);
  await checkHashes(lock.prebuilt[name] ?? {}, packageName, directory, files);
  return { packageName, directory, ...librariesOf(packageName, files) };
}

async function checkRelease(lock: LlamaLock, packageName: string, directory: string): Promise<void> {
  const release = await readRelease(directory);
  if (release === lock.llamaCpp.tag) return;
  throw new ExoError(
    "unsupported",
    `${packageName} holds libraries of llama.cpp ${release ?? "of an unknown release"}, but this build needs ` +
      `${lock.llamaCpp.tag}: run npm ci, or set EXO_NATIVE_GGML=source to compile everything.`,
  );
}

async function readRelease(directory: string): Promise<string | null> {
  try {
    const text = await readFile(join(directory, "_nlcBuildMetadata.json"), "utf8");
    return buildMetadataSchema.parse(JSON.parse(text)).buildOptions.llamaCpp.release;
  } catch {
    return null;
  }
}

async function checkHashes(
  locked: Readonly<Record<string, string>>,
  packageName: string,
  directory: string,
  files: readonly string[],
): Promise<void> {
  for (const [file, expected] of Object.entries(locked)) {
    const found = files.includes(file) ? await fileSha256(join(directory, file)) : "no such file";
    if (found === expected) continue;
    throw new ExoError(
      "unsupported",
      `${file} of ${packageName} is not the library of vendor/llama.lock.json (${found} instead of sha256 ${expected}): ` +
        "run npm ci, or set EXO_NATIVE_GGML=source to compile everything.",
    );
  }
}

/** Sorts the files of a package by role. The release is part of some names, e.g. `libllama.v0.5.0.so`. */
export function librariesOf(
  packageName: string,
  files: readonly string[],
): Omit<PrebuiltLibraries, "packageName" | "directory"> {
  const libraries = files.filter((file) => /\.(so|dylib|dll)$/.test(file)).sort();
  const only = (role: string, pattern: RegExp): string => {
    const [first, ...more] = libraries.filter((file) => pattern.test(file));
    if (first !== undefined && more.length === 0) return first;
    throw new ExoError(
      "unsupported",
      `${packageName} does not hold exactly one ${role} library: set EXO_NATIVE_GGML=source to compile everything.`,
    );
  };
  const roles = {
    ggml: only("ggml", /^(lib)?ggml(\.v[^/]*)?\.(so|dylib|dll)$/),
    ggmlBase: only("ggml-base", /^(lib)?ggml-base\./),
    llama: only("llama", /^(lib)?llama(\.v[^/]*)?\.(so|dylib|dll)$/),
    llamaCommon: only("llama-common", /^(lib)?llama-common\./),
  };
  const linked = new Set(Object.values(roles));
  const backends = libraries.filter((file) => /^(lib)?ggml-/.test(file) && !linked.has(file));
  return { ...roles, backends };
}
