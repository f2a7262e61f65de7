import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { type ModelRequest, parseModelRequest } from "./model-request.js";

const document = z.object({ pinned: z.array(z.unknown()).max(1024) });

/** The models that were pinned while the node ran, kept for its next start. */
export class PinFile {
  readonly #path: string;
  readonly #logger: Logger;
  /** Writes follow each other. */
  #written: Promise<void> = Promise.resolve();

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** What cannot be read is left out, with a warning: a node must start without it. */
  async read(): Promise<readonly ModelRequest[]> {
    const text = await readFile(this.#path, "utf8").catch(() => null);
    if (text === null) return [];
    try {
      return document.parse(JSON.parse(text)).pinned.map(parseModelRequest);
    } catch (thrown) {
      const { message } = ExoError.from(thrown);
      this.#logger.warn({ file: this.#path }, `The list of pinned models cannot be read and is left out: ${message}`);
      return [];
    }
  }

  /** Never rejects: a list that cannot be kept is a warning. */
  write(pinned: readonly ModelRequest[]): Promise<void> {
    this.#written = this.#written.then(() => this.#replace(pinned));
    return this.#written;
  }

  async #replace(pinned: readonly ModelRequest[]): Promise<void> {
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const fresh = `${this.#path}.${randomUUID()}`;
      await writeFile(fresh, `${JSON.stringify({ pinned }, null, 2)}\n`, { mode: 0o600 });
      await rename(fresh, this.#path);
    } catch (thrown) {
      const { message } = ExoError.from(thrown);
      this.#logger.warn({ file: this.#path }, `The list of pinned models cannot be kept: ${message}`);
    }
  }
}
