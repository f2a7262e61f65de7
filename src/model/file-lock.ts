import { lock } from "proper-lockfile";
import { ExoError } from "../core/errors.js";
import { diskError } from "./disk-error.js";

export interface LockOptions {
  readonly signal: AbortSignal;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Called now and then while another process holds the lock. */
  onWait(): Promise<void>;
}

const POLL_MS = 300;
/** A holder renews its lock every 2 s; one that has not for this long was killed. */
const STALE_MS = 10_000;
const RENEW_MS = 2000;

/** Runs `work` while no other process runs work of the same `path`; its signal also aborts when the lock is lost. */
export async function withFileLock<Result>(
  path: string,
  options: LockOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const lost = new AbortController();
  const release = await acquire(path, options, lost);
  try {
    return await work(AbortSignal.any([options.signal, lost.signal]));
  } catch (thrown) {
    if (options.signal.aborted || !lost.signal.aborted) throw thrown;
    const message = `The lock ${path}.lock was lost, so another process may write there now. Try again.`;
    throw new ExoError("download_failed", message, { cause: lost.signal.reason });
  } finally {
    // A lost lock cannot be released, and the loss has already been said.
    await release().catch(() => {});
  }
}

async function acquire(path: string, options: LockOptions, lost: AbortController): Promise<() => Promise<void>> {
  for (;;) {
    if (options.signal.aborted) throw new ExoError("cancelled", `Waiting for ${path} was cancelled.`);
    try {
      return await lock(path, {
        realpath: false,
        stale: STALE_MS,
        update: RENEW_MS,
        onCompromised: (cause) => lost.abort(cause),
      });
    } catch (thrown) {
      if (!isHeld(thrown)) throw diskError(thrown, path) ?? thrown;
    }
    await options.onWait();
    await options.sleep(POLL_MS, options.signal).catch(() => {});
  }
}

function isHeld(thrown: unknown): boolean {
  return thrown instanceof Error && Reflect.get(thrown, "code") === "ELOCKED";
}
