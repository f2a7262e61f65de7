import { ExoError } from "../src/core/errors.js";
import { PROJECT_ROOT, vendorLayout } from "./layout.js";
import { type LlamaLock, readLock } from "./lock.js";
import { findPrebuilt, type PrebuiltLibraries } from "./prebuilt.js";
import { unpackLlama } from "./unpack.js";

export type GgmlOrigin = "prebuilt" | "source";

export interface PreparedLlama {
  readonly lock: LlamaLock;
  /** The transformed source tree. */
  readonly source: string;
  readonly ggmlOrigin: GgmlOrigin;
  readonly prebuilt: PrebuiltLibraries | null;
  /** CMake cache entries that `vendor/llama.cmake` reads. */
  readonly cmakeDefinitions: Readonly<Record<string, string>>;
}

export interface PrepareOptions {
  readonly root?: string;
  /** `EXO_NATIVE_GGML`: `prebuilt` insists, `source` compiles all; absent: prebuilt where one fits. */
  readonly ggml?: string | undefined;
  readonly log?: (line: string) => void;
}

/** Unpacks llama.cpp, picks where ggml and llama-common come from, and says what CMake must be told. */
export async function prepareLlama(options: PrepareOptions = {}): Promise<PreparedLlama> {
  const root = options.root ?? PROJECT_ROOT;
  const wanted = parseOrigin(options.ggml ?? process.env.EXO_NATIVE_GGML);
  const lock = await readLock(root);
  const prebuilt = wanted === "source" ? null : await findPrebuilt({ root, lock });
  if (prebuilt === null && wanted === "prebuilt") throw noPrebuilt();
  const log = options.log;
  await unpackLlama({ root, lock, ...(log === undefined ? {} : { log }) });
  const { source } = vendorLayout(root);
  const ggmlOrigin = prebuilt === null ? "source" : "prebuilt";
  return { lock, source, ggmlOrigin, prebuilt, cmakeDefinitions: definitions(lock, source, prebuilt) };
}

function parseOrigin(value: string | undefined): GgmlOrigin | "auto" {
  if (value === undefined || value === "") return "auto";
  if (value === "prebuilt" || value === "source") return value;
  throw new ExoError("invalid_argument", `EXO_NATIVE_GGML must be "prebuilt" or "source", not "${value}".`, {
    param: "EXO_NATIVE_GGML",
  });
}

function noPrebuilt(): ExoError {
  return new ExoError(
    "unsupported",
    `There are no prebuilt ggml libraries for ${process.platform} on ${process.arch}: ` +
      "leave EXO_NATIVE_GGML unset to compile everything.",
  );
}

function definitions(lock: LlamaLock, source: string, prebuilt: PrebuiltLibraries | null): Record<string, string> {
  const common = {
    EXO_LLAMA_SOURCE: source,
    EXO_LLAMA_TAG: lock.llamaCpp.tag,
    EXO_LLAMA_COMMIT: lock.llamaCpp.commit,
  };
  if (prebuilt === null) return { ...common, EXO_GGML: "source" };
  return {
    ...common,
    EXO_GGML: "prebuilt",
    EXO_PREBUILT_DIR: prebuilt.directory,
    EXO_PREBUILT_GGML: prebuilt.ggml,
    EXO_PREBUILT_GGML_BASE: prebuilt.ggmlBase,
    EXO_PREBUILT_LLAMA: prebuilt.llama,
    EXO_PREBUILT_LLAMA_COMMON: prebuilt.llamaCommon,
    EXO_PREBUILT_BACKENDS: prebuilt.backends.join(";"),
  };
}
