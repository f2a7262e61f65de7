import { cpus, loadavg, release, totalmem, type } from "node:os";
import { packageVersion } from "../../src/core/package.js";
import { libraryInfo } from "../../src/native/load.js";
import type { Outcome } from "../outcome.js";
import { findPinning } from "./pinning.js";

/** What a reader must know of the machine to compare results. */
export function machine(): Outcome["machine"] {
  const processors = cpus();
  const { possible, cores } = findPinning();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    processors: processors.length,
    memoryBytes: totalmem(),
    system: `${type()} ${majorMinor(release())}`,
    pinned: possible,
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** The rest of a kernel's release names its build, which tells more of whose machine it is than of its speed. */
function majorMinor(release: string): string {
  return release.split(".", 2).join(".");
}

export function versions(): Outcome["versions"] {
  const { llama_tag, ggml_origin } = libraryInfo();
  return { exoNative: packageVersion(), node: process.version, llamaCpp: llama_tag, ggml: ggml_origin };
}
