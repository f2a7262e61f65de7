import { ExoError } from "../core/errors.js";

function errorCode(thrown: unknown): unknown {
  return thrown instanceof Error ? Reflect.get(thrown, "code") : null;
}

/** The `ExoError` for a failure to write, or `null` when `thrown` is none. */
export function diskError(thrown: unknown, path: string): ExoError | null {
  switch (errorCode(thrown)) {
    case "ENOSPC":
    case "EDQUOT":
      return new ExoError(
        "disk_full",
        `The disk is full, so ${path} cannot be written. Free some space and try again.`,
        {
          cause: thrown,
        },
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    // A directory that cannot be made where nothing may be written.
    case "ENOENT":
      return new ExoError(
        "download_failed",
        `${path} cannot be written: this user may not write there. Set EXO_NATIVE_HOME to a directory that can be written.`,
        { cause: thrown },
      );
    default:
      return null;
  }
}

export function isMissing(thrown: unknown): boolean {
  return errorCode(thrown) === "ENOENT";
}
