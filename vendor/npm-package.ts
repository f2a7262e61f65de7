import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Where npm put a package, seen from `root`; `null` when it is not installed. Works for packages without main entry. */
export function npmPackageDirectory(root: string, name: string): string | null {
  const folders = createRequire(join(root, "package.json")).resolve.paths(name) ?? [];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(join(path, "package.json"))) ?? null;
}
