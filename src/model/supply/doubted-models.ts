import type { Logger } from "../../core/ports.js";
import type { BlockRun } from "../sparse/blocks.js";
import type { VerifyResult } from "../verify-model.js";
import type { ServedFile } from "./served-file.js";

/**
 * What peers say they got wrong bytes of. Their word is not taken for it: it makes this node look at its own disk. Blocks
 * of a model in parts that are damaged do not count as here any more, and are fetched again before the next load; a whole
 * model that is damaged is not given to peers any more, and its owner is told.
 */
export class DoubtedModels {
  readonly #verify: (spec: string) => Promise<VerifyResult>;
  readonly #logger: Logger;
  /** Ids of files that were found damaged. */
  readonly #damaged = new Set<string>();
  /** Ids of whole files that were checked; they are read whole for it, so once is enough. */
  readonly #checked = new Set<string>();

  constructor(verify: (spec: string) => Promise<VerifyResult>, logger: Logger) {
    this.#verify = verify;
    this.#logger = logger;
  }

  isDamaged({ offer }: ServedFile): boolean {
    return this.#damaged.has(offer.id);
  }

  /** Resolves when the blocks are read again; what follows of it goes on by itself. */
  async look(file: ServedFile, run: BlockRun, signal: AbortSignal): Promise<void> {
    const isDamaged = await file.isDamaged(run, signal);
    if (file.isPart ? isDamaged : this.#isNew(file)) void this.#check(file, isDamaged);
  }

  #isNew({ offer }: ServedFile): boolean {
    if (this.#checked.has(offer.id)) return false;
    this.#checked.add(offer.id);
    return true;
  }

  async #check(file: ServedFile, isDamaged: boolean): Promise<void> {
    const { path, spec, isPart, offer } = file;
    try {
      const ok = spec === null ? !isDamaged : (await this.#verify(spec)).ok;
      if (isPart)
        this.#logger.warn({ file: path }, `${SAID} Its damaged blocks are fetched again before the next load.`);
      else if (!ok) {
        this.#damaged.add(offer.id);
        this.#logger.error({ file: path }, `${SAID} It is damaged, and no longer given to them: ${remedy(spec)}.`);
      }
    } catch (thrown) {
      this.#logger.warn({ file: path, error: String(thrown) }, `${SAID} It could not be checked.`);
    }
  }
}

const SAID = "Other nodes got wrong bytes of a model from this one (is the disk failing?).";

function remedy(spec: string | null): string {
  if (spec === null) return "replace the file";
  return `remove and fetch it again with "exo-native models rm ${spec}" and "exo-native models pull ${spec}"`;
}
