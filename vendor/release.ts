import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { $, which } from "zx";
import { ExoError } from "../src/core/errors.js";
import { fileSha256 } from "./file-hash.js";
import type { LlamaLock } from "./lock.js";
import { npmPackageDirectory } from "./npm-package.js";

/** What a build needs of the release; documentation, models and media stay in the bundle. */
const PATHS = [
  "CMakeLists.txt",
  "LICENSE",
  "licenses",
  "cmake",
  "common",
  "ggml",
  "include",
  "src",
  "tests",
  "tools",
  "vendor",
];

/** Directory of the installed node-llama-cpp, which carries the release bundle. */
export function bundlePackageDirectory(root: string): string {
  const directory = npmPackageDirectory(root, "node-llama-cpp");
  if (directory !== null) return directory;
  throw new ExoError(
    "unsupported",
    "The npm package node-llama-cpp, which carries llama.cpp's source, is not installed: run npm ci first.",
  );
}

/** Writes the untouched source of the locked release into `target`, after checking the bundle's hash. */
export async function extractRelease(lock: LlamaLock, packageDirectory: string, target: string): Promise<void> {
  const bundle = join(packageDirectory, lock.llamaCpp.bundle);
  await verifyBundle(bundle, lock);
  const git = await findGit();
  const repository = `${target}.git`;
  await mkdir(target, { recursive: true });
  const run = $({ quiet: true });
  await run`${git} clone --quiet --bare ${bundle} ${repository}`;
  await run`${git} -c core.autocrlf=false --git-dir=${repository} --work-tree=${target} checkout --quiet ${lock.llamaCpp.commit} -- ${PATHS}`;
}

async function verifyBundle(bundle: string, lock: LlamaLock): Promise<void> {
  try {
    await access(bundle);
  } catch (cause) {
    throw new ExoError(
      "unsupported",
      `llama.cpp's release bundle is missing at ${bundle}: install node-llama-cpp ${lock.nodeLlamaCpp} again with npm ci.`,
      { cause },
    );
  }
  const found = await fileSha256(bundle);
  if (found === lock.llamaCpp.bundleSha256) return;
  throw new ExoError(
    "unsupported",
    `The release bundle ${bundle} is not the one of vendor/llama.lock.json ` +
      `(sha256 ${found} instead of ${lock.llamaCpp.bundleSha256}): ` +
      `install node-llama-cpp ${lock.nodeLlamaCpp} with npm ci, or update the lock.`,
  );
}

async function findGit(): Promise<string> {
  const git = await which("git", { nothrow: true });
  if (git !== null) return git;
  throw new ExoError(
    "unsupported",
    "git is not installed, and llama.cpp's source comes as a git bundle: " +
      "install it (Debian and Ubuntu: apt install git; macOS: xcode-select --install; Windows: winget install Git.Git).",
  );
}
