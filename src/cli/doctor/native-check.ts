import { basename } from "node:path";
import { formatByteSize } from "../../config/byte-size.js";
import { ExoError } from "../../core/errors.js";
import { chooseDevices } from "../../runtime/compute-devices.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, problem, warning } from "./finding.js";
import { findGraphicsCards } from "./graphics-cards.js";
import type { NativeReport } from "./native-facts.js";
import { unusedBackends } from "./unused-backends.js";

/** Whether the addon opens, and what it computes with. */
export const nativeCheck: Check = {
  subject: "the native addon",
  run: async (context) => {
    const facts = await context.system.native();
    if (!facts.works) {
      const mend = "npm run build:native in the package's folder, or install exo-native again.";
      return [problem("native.addon", "The native addon cannot be opened", facts.reason, mend)];
    }
    return [addon(facts), await processor(facts, context), await graphics(facts, context), ...chosen(facts, context)];
  },
};

function addon({ llamaTag, llamaCommit, ggmlOrigin, libraryDirectory }: NativeReport): Finding {
  const origin = ggmlOrigin === "prebuilt" ? "prebuilt" : "compiled on this machine";
  return ok(
    "native.addon",
    `The native addon works: llama.cpp ${llamaTag} (${llamaCommit.slice(0, 12)})`,
    `ggml is ${origin}. Libraries: ${libraryDirectory}.`,
  );
}

/** Variants for processors without AVX2 (or, of ARM, without dot products). */
const BASIC_VARIANTS = new Set(["x64", "sse42", "sandybridge", "ivybridge", "piledriver", "armv8.0_1"]);

const CPU_LIBRARY = /^(?:lib)?ggml-cpu-(.+)\.(?:so|dylib|dll)$/;

async function processor(facts: NativeReport, { system }: DoctorContext): Promise<Finding> {
  const used = variants(facts.loaded)[0];
  const there = variants(await system.list(facts.libraryDirectory));
  const cpu = facts.devices.find(({ kind }) => kind === "cpu");
  const what = `${cpu?.description ?? "the processor"}, ${facts.cores} ${facts.cores === 1 ? "thread" : "threads"}`;
  if (used === undefined) {
    return ok("native.cpu", `CPU: ${what}`, "ggml's code for the CPU was compiled for this machine, in one variant.");
  }
  const choice =
    `ggml's variant "${used}" was chosen of ${there.length}: the one for the most instructions that this processor ` +
    "shows. The others are for instructions that it lacks, or are slower.";
  if (!BASIC_VARIANTS.has(used)) return ok("native.cpu", `CPU: ${what}, ggml variant ${used}`, choice);
  return warning(
    "native.cpu",
    `CPU: ${what}, only the basic ggml variant ${used} can be used`,
    `${choice} Without AVX2 (on ARM: without dot products) computing is slower.`,
    "On a virtual machine give it the host's processor type (QEMU: -cpu host); an old processor serves best with few layers.",
  );
}

function variants(paths: readonly string[]): string[] {
  return paths.flatMap((path) => CPU_LIBRARY.exec(basename(path))?.[1] ?? []);
}

async function graphics(facts: NativeReport, { system }: DoctorContext): Promise<Finding> {
  const used = facts.devices.filter(({ kind }) => kind === "gpu" || kind === "igpu");
  if (used.length > 0) {
    const list = used.map(({ name, description, memoryTotal }) => {
      return `${name} (${description}, ${formatByteSize(memoryTotal)})`;
    });
    return ok("native.gpu", `Graphics: ${list.join(", ")}`);
  }
  const cards = await findGraphicsCards(system);
  const [unused] = await unusedBackends(facts, system);
  if (unused !== undefined) {
    const title = `The graphics backend ${unused.name} is there, but is not used`;
    return warning("native.gpu", title, unused.reason, unused.mend);
  }
  if (cards.length === 0) return ok("native.gpu", "No graphics card was found; layers are computed on the CPU");
  const names = cards.map(({ name }) => name).join(", ");
  const detail = `${names}: among the libraries in ${facts.libraryDirectory} is no backend for it.`;
  const mend = "There is none in this build, so the machine serves as a CPU node.";
  return cards.some(({ isFast }) => isFast)
    ? warning("native.gpu", "There is a graphics card, but this build computes on the CPU", detail, mend)
    : note("native.gpu", "The processor's own graphics are not used; layers are computed on the CPU", detail, mend);
}

function chosen({ devices }: NativeReport, { config }: DoctorContext): readonly Finding[] {
  if (config.device.length === 0) return [];
  try {
    const names = chooseDevices(config.device, devices);
    return [ok("native.device", `--device: ${names.length === 0 ? "CPU" : names.join(", ")}`)];
  } catch (thrown) {
    const { message } = ExoError.from(thrown);
    return [
      problem("native.device", "--device names what is not here", message, "Name devices that are, or leave it out."),
    ];
  }
}
