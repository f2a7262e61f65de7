import { join, resolve } from "node:path";

/** Where a node keeps its files. */
export interface Paths {
  readonly cacheDir: string;
  /** Weights. */
  readonly modelsDir: string;
  /** Identity, trust and `config.json`. */
  readonly configDir: string;
}

/** `EXO_NATIVE_HOME` moves both the cache and the configuration below one directory. */
export function resolvePaths(env: Readonly<Record<string, string | undefined>>, homeDirectory: string): Paths {
  const home = env.EXO_NATIVE_HOME;
  if (home !== undefined && home !== "") {
    const cacheDir = resolve(home);
    return { cacheDir, modelsDir: join(cacheDir, "models"), configDir: join(cacheDir, "config") };
  }
  const cacheDir = join(homeDirectory, ".cache", "exo-native");
  return { cacheDir, modelsDir: join(cacheDir, "models"), configDir: join(homeDirectory, ".config", "exo-native") };
}
