import { type FileHandle, statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../core/ports.js";
import type { HttpResponse } from "./http-response.js";

/** What downloading asks of the world. */
export interface DownloadIo {
  fetch(
    url: string,
    init: {
      headers: Record<string, string>;
      method: "GET" | "HEAD";
      signal: AbortSignal;
      redirect?: "manual";
      /** The address is of a service that the owner of this machine chose, wherever that is. */
      byOwner?: boolean;
    },
  ): Promise<HttpResponse>;
  /** Writes all of the bytes at this place of the file. */
  write(file: FileHandle, bytes: Uint8Array, position: number): Promise<void>;
  /** Bytes that may still be written below this directory. */
  freeBytes(directory: string): Promise<number>;
  /** Rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  readonly clock: Clock;
  /** A connection that sends nothing for this long is given up and tried again. */
  readonly stallMilliseconds: number;
  /** Tries without a single new byte before a download is given up. */
  readonly fruitlessTries: number;
}

export const systemDownloadIo: DownloadIo = {
  fetch: (url, { byOwner: _, ...init }) => fetch(url, init),
  write: async (file, bytes, position) => {
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  },
  freeBytes: async (directory) => {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  },
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, { signal });
  },
  clock: systemClock,
  stallMilliseconds: 30_000,
  fruitlessTries: 6,
};
