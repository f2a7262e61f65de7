import { readFile } from "node:fs/promises";
import { formatByteSize } from "../config/byte-size.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import type { Logger } from "../core/ports.js";

export interface MemoryWatchOptions {
  /** Bytes that can be used without swapping, here or in the container; `null`: not known. */
  readonly memory: () => { readonly free: number; readonly total: number } | null;
  readonly logger: Logger;
  /** Text of a file, or `null`. */
  readonly readText?: (path: string) => Promise<string | null>;
}

const LOOK_MS = 2_000;
/** Less than this, and than this part of all, is little: an answer to a large prompt may take as much. */
const LITTLE_BYTES = 256 * 2 ** 20;
const LITTLE_PART = 0.02;
/** Percent of the last ten seconds in which nothing on the machine went on for want of memory (PSI, `full avg10`). */
const MOST_STALLED = 40;

/** Of Linux; there the first that exists says how the machine, or the container, fares. */
const PRESSURE_FILES = ["/sys/fs/cgroup/memory.pressure", "/proc/pressure/memory"];

/** Whether this machine is short of memory: then a node takes no more than it has, and says so. */
export class MemoryWatch implements Service {
  readonly name = "memory watch";
  readonly #options: MemoryWatchOptions;
  readonly #readText: (path: string) => Promise<string | null>;
  #timer: NodeJS.Timeout | null = null;
  #shortage: string | null = null;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#readText = options.readText ?? ((path) => readFile(path, "utf8").catch(() => null));
  }

  async start(): Promise<void> {
    await this.look();
    this.#timer ??= setInterval(() => void this.look(), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What is short, as a sentence, or `null`. */
  notice(): string | null {
    return this.#shortage === null ? null : `${this.#shortage} No further model is loaded here until that is over.`;
  }

  /** Throws `out_of_memory` when nothing more should be loaded here. */
  requireRoom(): void {
    const notice = this.notice();
    if (notice !== null) throw new ExoError("out_of_memory", notice);
  }

  async look(): Promise<void> {
    const before = this.#shortage;
    this.#shortage = this.#littleLeft() ?? (await this.#thrashing());
    if (before === null && this.#shortage !== null) this.#options.logger.warn({}, this.#shortage);
    if (before !== null && this.#shortage === null) this.#options.logger.info({}, "there is memory again");
  }

  #littleLeft(): string | null {
    const memory = this.#options.memory();
    if (memory === null || memory.free >= Math.min(LITTLE_BYTES, LITTLE_PART * memory.total)) return null;
    return `Little memory is left on this machine: ${formatByteSize(memory.free)} of ${formatByteSize(memory.total)}.`;
  }

  async #thrashing(): Promise<string | null> {
    for (const file of PRESSURE_FILES) {
      const stalled = stalledPercent(await this.#readText(file));
      if (stalled === null) continue;
      if (stalled < MOST_STALLED) return null;
      return `This machine is short of memory: for ${Math.round(stalled)} % of the time all work waited for it.`;
    }
    return null;
  }
}

/** `full avg10=12.34 avg60=… total=…` */
function stalledPercent(text: string | null): number | null {
  const found = /^full avg10=(\d+(?:\.\d+)?)/m.exec(text ?? "")?.[1];
  return found === undefined ? null : Number(found);
}
