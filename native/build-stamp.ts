import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Directories and files whose content decides whether a build is current; absent ones count as empty. */
const INPUTS = [
  "CMakeLists.txt",
  "native/CMakeLists.txt",
  "native/napi_setup.h",
  "native/stage",
  "native/bindings",
  "vendor/llama.cmake",
  "vendor/llama.lock.json",
  "vendor/cmake",
  "vendor/overlay",
  "dist/vendor",
  "node_modules/node-addon-api/package.json",
];

/** Settings from outside that change what is built. */
const ENVIRONMENT = ["EXO_NATIVE_GGML", "CC", "CXX", "CFLAGS", "CXXFLAGS"];

/** Changes whenever a build would come out differently. */
export async function buildKey(root: string): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const name of ENVIRONMENT) hash.update(`${name}=${process.env[name] ?? ""}\n`);
  for (const input of INPUTS) {
    for (const file of await filesOf(join(root, input))) {
      hash.update(`${file.slice(root.length)}\0`).update(await readFile(file));
    }
  }
  return hash.digest("hex");
}

async function filesOf(path: string): Promise<string[]> {
  if (!existsSync(path)) return [];
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".map"));
    return files.map((entry) => join(entry.parentPath, entry.name)).sort();
  } catch (thrown) {
    if (thrown instanceof Error && Reflect.get(thrown, "code") === "ENOTDIR") return [path];
    throw thrown;
  }
}

/** True when the addon is there and was built from these very inputs. */
export async function isCurrent(addon: string, key: string): Promise<boolean> {
  if (!existsSync(addon)) return false;
  try {
    return (await readFile(stampFile(addon), "utf8")) === key;
  } catch {
    return false;
  }
}

export async function writeStamp(addon: string, key: string): Promise<void> {
  await mkdir(dirname(addon), { recursive: true });
  await writeFile(stampFile(addon), key);
}

const stampFile = (addon: string): string => `${addon}.stamp`;
