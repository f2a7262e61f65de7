import { basename, join } from "node:path";
import type { NativeReport } from "./native-facts.js";
import type { DoctorSystem } from "./system.js";

/** A graphics backend that lies among the libraries and computes nothing. */
export interface UnusedBackend {
  readonly name: string;
  readonly reason: string;
  readonly mend: string;
}

const BACKEND = /^(?:lib)?ggml-(cuda|vulkan|hip|metal|sycl|opencl|musa|cann)\.(?:so|dylib|dll)$/;

/** What brings a library that a backend needs. */
const SOURCES: readonly (readonly [library: RegExp, mend: string])[] = [
  [
    /^libcuda\.so/,
    "Install NVIDIA's driver (Debian and Ubuntu: sudo apt install nvidia-driver), and start the machine again.",
  ],
  [
    /^lib(?:cudart|cublas|cublasLt|nvrtc)\.so/,
    "Install the libraries of NVIDIA's CUDA toolkit in the version that is named.",
  ],
  [
    /^libvulkan\.so/,
    "Install the Vulkan loader (Debian and Ubuntu: sudo apt install libvulkan1) and the card's Vulkan driver.",
  ],
  [/^lib(?:amdhip64|hipblas|rocblas)\.so/, "Install AMD's ROCm libraries in the version that is named."],
];

/** Why each graphics backend of the libraries has no device. Only asked where no graphics device was found. */
export async function unusedBackends(facts: NativeReport, system: DoctorSystem): Promise<readonly UnusedBackend[]> {
  const files = (await system.list(facts.libraryDirectory)).filter((file) => BACKEND.test(file));
  return Promise.all(files.map((file) => explain(file, facts, system)));
}

async function explain(file: string, { libraryDirectory, loaded }: NativeReport, system: DoctorSystem) {
  const name = BACKEND.exec(file)?.[1] ?? file;
  if (loaded.some((path) => basename(path) === file)) {
    return {
      name,
      reason: `${file} was opened and found no device: no card of its kind, or its driver does not work.`,
      mend: "See whether the card's own tool sees it (NVIDIA: nvidia-smi); if not, install or update its driver.",
    };
  }
  const missing = await missingLibraries(join(libraryDirectory, file), system);
  const reason =
    missing.length === 0
      ? `${file} could not be opened.`
      : `${file} could not be opened: it needs ${missing.join(", ")}, which this machine does not have.`;
  const source = SOURCES.find(([library]) => missing.some((name) => library.test(name)));
  return { name, reason, mend: source?.[1] ?? "Install the libraries that it needs." };
}

/** Lines of `ldd` such as `libcuda.so.1 => not found`. */
async function missingLibraries(path: string, system: DoctorSystem): Promise<readonly string[]> {
  if (system.platform !== "linux") return [];
  const result = await system.run("ldd", [path]);
  return [...(result?.stdout ?? "").matchAll(/^\s*(\S+) => not found/gm)].map(([, library = ""]) => library);
}
