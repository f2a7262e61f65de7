import { formatByteSize } from "../config/byte-size.js";
import { ExoError } from "../core/errors.js";
import type { DownloadIo } from "./download-io.js";

/** Throws `disk_full` when `bytes` more do not fit below the directory. `what` begins the sentence. */
export async function checkDiskSpace(what: string, bytes: number, directory: string, io: DownloadIo): Promise<void> {
  const free = await io.freeBytes(directory);
  if (bytes <= free) return;
  throw new ExoError(
    "disk_full",
    `${what} needs ${formatByteSize(bytes)} more in ${directory}, where ${formatByteSize(free)} are free. ` +
      "Free some space, or set EXO_NATIVE_HOME to a directory on a larger disk.",
  );
}
