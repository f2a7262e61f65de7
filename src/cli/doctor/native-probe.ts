import { ExoError } from "../../core/errors.js";
import { listDevices, usableCores } from "../../native/devices.js";
import { libraryInfo } from "../../native/load.js";
import type { NativeReport } from "./native-facts.js";

/** Opens the addon as a node does and prints what it found; run as a process of its own by the doctor. */
function probe(): NativeReport {
  const { llama_tag, llama_commit, ggml_origin, library_directory } = libraryInfo();
  const devices = listDevices().map((device) => ({ ...device }));
  return {
    llamaTag: llama_tag,
    llamaCommit: llama_commit,
    ggmlOrigin: ggml_origin,
    libraryDirectory: library_directory,
    cores: usableCores().length,
    devices,
    loaded: sharedObjects(),
  };
}

function sharedObjects(): string[] {
  // Without this the report looks up the names of all peers, which may take long. Not in the types of Node 20.
  Reflect.set(process.report, "excludeNetwork", true);
  const loaded: unknown = Reflect.get(process.report.getReport(), "sharedObjects");
  return Array.isArray(loaded) ? loaded.filter((path) => typeof path === "string") : [];
}

try {
  process.stdout.write(JSON.stringify(probe()));
} catch (thrown) {
  process.stderr.write(ExoError.from(thrown).message);
  process.exitCode = 1;
}
