import { mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { $ } from "zx";
import { libraryEnvironment } from "./tools.js";

export interface GeneratedModel {
  /** Architecture and variant, e.g. `llama-moe`. */
  readonly name: string;
  readonly path: string;
}

/** Writes a small random model of every architecture that matches `filter`; always the same weights. */
export async function generateModels(
  generator: string,
  libraries: string,
  directory: string,
  filter: string,
): Promise<GeneratedModel[]> {
  await mkdir(directory, { recursive: true });
  const run = $({ quiet: true, env: libraryEnvironment(libraries) });
  await run`${generator} --seed 1 --arch ${filter} --out ${directory}`;
  const files = (await readdir(directory)).filter((file) => file.endsWith(".gguf")).sort();
  return files.map((file) => ({ name: basename(file, ".gguf"), path: join(directory, file) }));
}
