import { availableParallelism } from "node:os";
import { join } from "node:path";
import { $ } from "zx";
import { buildNative } from "../../native/build.js";
import type { Phases } from "../../native/phases.js";
import { prepareLlama } from "../../vendor/prepare.js";

/** The programs of native/test/archs, and the libraries they run with. */
export interface ArchTools {
  readonly stageMatrix: string;
  /** Writes the models of llama.cpp's test as they are. */
  readonly makeModels: string;
  /** Writes the same with six layers, so that middle stages exist. */
  readonly makeDeepModels: string;
  /** Writes models of architectures that llama.cpp's test leaves out, with six layers. */
  readonly makeExtraModels: string;
  /** Our libraries. */
  readonly libraries: string;
  /** Untouched libraries of the same release for the reference; ours where there are no prebuilt ones. */
  readonly referenceLibraries: string;
}

export async function buildTools(root: string, phases: Phases): Promise<ArchTools> {
  const tree = await buildNative(root, phases);
  const llama = await prepareLlama({ root });
  const build = join(root, "vendor", "build", "archs");
  const definitions = [
    `-DEXO_LLAMA_SOURCE=${llama.source}`,
    `-DEXO_LLAMA_TAG=${llama.lock.llamaCpp.tag}`,
    `-DEXO_LIBRARY_DIR=${tree.libraryDirectory}`,
  ];
  await phases.run("Compiling the generator of models and the comparison", async () => {
    const run = $({ quiet: true });
    await run`cmake -S ${join(root, "native", "test", "archs")} -B ${build} ${definitions}`;
    await run`cmake --build ${build} --config Release --parallel ${availableParallelism()}`;
  });
  const program = (name: string): string => join(build, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return {
    stageMatrix: program("stage_matrix"),
    makeModels: program("make_models"),
    makeDeepModels: program("make_deep_models"),
    makeExtraModels: program("make_extra_models"),
    libraries: tree.libraryDirectory,
    referenceLibraries: llama.prebuilt?.directory ?? tree.libraryDirectory,
  };
}

/** Library search path and backends from one directory, in place of what the program was linked with. */
export function libraryEnvironment(directory: string): NodeJS.ProcessEnv {
  const search = { linux: "LD_LIBRARY_PATH", darwin: "DYLD_LIBRARY_PATH", win32: "PATH" } as const;
  const name = search[process.platform as keyof typeof search] ?? "LD_LIBRARY_PATH";
  const rest = name === "PATH" ? `;${process.env.PATH ?? ""}` : "";
  return { ...process.env, EXO_BACKEND_DIR: directory, [name]: `${directory}${rest}` };
}
