import { open, realpath, stat } from "node:fs/promises";
import { dirname, resolve, sep } from "node:path";
import { ExoError } from "../core/errors.js";
import { parseModelSpec } from "./spec.js";

export interface ModelPathsOptions {
  /** Directories from which models may be loaded by path; `null`: from any. */
  readonly directories: readonly string[] | null;
  /** Whether the owner of a node of the cluster named this model, or it is loaded; then where it is has been seen to. */
  readonly isKnown: (spec: string) => boolean;
}

const MAGIC = "GGUF";

/** Which files may be named by those who ask for models from elsewhere. */
export class ModelPaths {
  readonly #options: ModelPathsOptions;

  constructor(options: ModelPathsOptions) {
    this.#options = options;
  }

  /**
   * Throws `model_not_found` for a path that may not be named: not there, not to be read, no GGUF, or elsewhere. Which of
   * these it is would tell what files this machine has.
   */
  async check(name: string): Promise<void> {
    const named = pathOf(name);
    if (named === null || this.#options.isKnown(named)) return;
    const path = await realpath(named).catch(() => null);
    if (path === null || !(await this.#isWithin(path)) || !(await beginsAsGguf(path))) throw refused(name);
  }

  /** @param path without links, so that none leads out again */
  async #isWithin(path: string): Promise<boolean> {
    const { directories } = this.#options;
    if (directories === null) return true;
    const real = await Promise.all(directories.map((directory) => realpath(resolve(directory)).catch(() => null)));
    return real.some((directory) => directory !== null && path.startsWith(directory + sep));
  }
}

/** Where the owner of a node keeps models, as far as its settings tell. */
export function namedDirectories(
  {
    model,
    pin,
    draftModel,
    modelDir,
  }: {
    readonly model: string | null;
    readonly pin: readonly string[];
    readonly draftModel: string | null;
    readonly modelDir: readonly string[];
  },
  modelsDir: string,
): readonly string[] {
  const named = [model, draftModel, ...pin].flatMap((text) => text ?? []).map(parseModelSpec);
  const beside = named.flatMap((spec) => (spec.kind === "path" ? [dirname(spec.path)] : []));
  return [modelsDir, ...modelDir, ...beside];
}

/** `null`: it is no path. What can be no model at all is refused where it is to be one. */
function pathOf(name: string): string | null {
  try {
    const spec = parseModelSpec(name);
    return spec.kind === "path" ? spec.path : null;
  } catch {
    return null;
  }
}

async function beginsAsGguf(path: string): Promise<boolean> {
  // Opening a pipe would wait for somebody to write to it.
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  const file = isFile ? await open(path, "r").catch(() => null) : null;
  if (file === null) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    return buffer.toString("latin1", 0, bytesRead) === MAGIC;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

function refused(name: string): ExoError {
  return new ExoError(
    "model_not_found",
    `No model is loaded from ${JSON.stringify(name.slice(0, 200))}: over HTTP a path must be that of a GGUF file that the node can read, in a directory from which its owner lets models be loaded (--model-dir).`,
    { param: "model" },
  );
}
