import { stat } from "node:fs/promises";
import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import type { SparseFile } from "./sparse-file.js";

interface Checked {
  /** The file as `stat` told of it. */
  readonly state: string;
  readonly blocks: ReadonlySet<number>;
}

/**
 * Which blocks on the disk this process has compared with their hashes. Each is read once, and again only when the file
 * has changed since: damage that a disk does to it while the process runs shows at the next start.
 */
export class CheckedBlocks {
  readonly #files = new Map<string, Checked>();

  /** Those of these blocks that are here and are not any more what came. */
  async damaged(file: SparseFile, blocks: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    const state = await stateOf(file.path);
    const known = this.#sound(file.path, state);
    const unknown = blocks.filter((block) => file.hashOf(block) !== null && !known.has(block));
    const damaged = await file
      .damaged(signal, () => {}, unknown)
      .catch((cause: unknown) => {
        throw signal.aborted ? new ExoError("cancelled", `Checking ${file.path} was cancelled.`, { cause }) : cause;
      });
    this.#keep(file.path, state, [...known, ...unknown.filter((block) => !damaged.includes(block))]);
    return damaged;
  }

  /** Damaged ones count as missing from here on. The caller holds the lock of the model's directory. */
  async forgetDamaged(file: SparseFile, blocks: readonly number[], signal: AbortSignal, logger: Logger): Promise<void> {
    const damaged = await this.damaged(file, blocks, signal);
    if (damaged.length === 0) return;
    logger.warn(
      { file: file.path, blocks: damaged.length },
      `${damaged.length} blocks of ${file.path} are not any more what was fetched (is the disk failing?); they are fetched again`,
    );
    file.forget(damaged);
  }

  /** Blocks are written by this; what is here of `blocks` afterwards was compared as it came, or before. */
  async whileWriting(file: SparseFile, blocks: readonly number[], write: () => Promise<void>): Promise<void> {
    const before = this.#sound(file.path, await stateOf(file.path));
    await write();
    const here = blocks.filter((block) => file.hashOf(block) !== null);
    this.#keep(file.path, await stateOf(file.path), [...before, ...here]);
  }

  #sound(path: string, state: string): ReadonlySet<number> {
    const checked = this.#files.get(path);
    return checked?.state === state ? checked.blocks : new Set();
  }

  #keep(path: string, state: string, blocks: readonly number[]): void {
    this.#files.set(path, { state, blocks: new Set(blocks) });
  }
}

async function stateOf(path: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(path);
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}
