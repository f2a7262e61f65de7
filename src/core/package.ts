import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ExoError } from "./errors.js";

/** Directory of this package's package.json, whether the code runs from a checkout or from node_modules. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new ExoError("internal", "The package's own package.json was not found.");
    directory = parent;
  }
  return directory;
}

/** Version of exo-native, as package.json says it. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
  const version = typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined;
  if (typeof version === "string") return version;
  throw new ExoError("internal", "The package's own package.json names no version.");
}
