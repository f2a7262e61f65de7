import { ExoError } from "../core/errors.js";

/** Runs one call into the addon; what it throws becomes an `ExoError` with the addon's code and sentence. */
export function nativeCall<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (thrown) {
    throw ExoError.from(thrown);
  }
}

/** The same for a call that answers later. */
export async function nativePromise<Result>(call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (thrown) {
    throw ExoError.from(thrown);
  }
}
