import { isDeepStrictEqual } from "node:util";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { resolvedWithin } from "../core/waiting.js";
import { encodeKvOperations, encodeRows } from "../native/micro-batch.js";
import type { Stage } from "../native/stage.js";
import type { StageOptions } from "../native/stage-options.js";

/** Which model a stage is of. */
export interface StageModel {
  readonly spec: string;
  /** `ModelHeader.hash`; "": whichever the spec leads to. */
  readonly modelHash: string;
}

export interface WantedStage extends StageModel {
  readonly options: Omit<StageOptions, "modelPath">;
}

export interface KeptStage extends StageModel {
  readonly ringId: string;
  readonly stage: Stage;
  /** It stands by for another node's stage; else it is what is left of a ring. */
  readonly spare: boolean;
}

interface Entry extends KeptStage {
  timer: NodeJS.Timeout;
}

export interface KeptStagesOptions {
  /** Milliseconds that what is left of a ring waits to be claimed. */
  readonly keepMs?: number;
  readonly logger: Logger;
}

const KEEP_MS = 30_000;
/** A spare is asked for again and again while its ring lives. */
export const SPARE_MS = 60_000;
/** What the stage still computes for its old ring comes first; one that does not end is given up. */
const EMPTY_MS = 10_000;

const FORGET = encodeKvOperations([{ op: "remove", sequence: null, from: 0, to: null }]);

/**
 * The loaded stages of this node that are in no ring: what is left of one that broke, for the ring that comes after it,
 * and spares. They count as free memory: whoever needs it gets it.
 */
export class KeptStages {
  readonly #options: KeptStagesOptions;
  readonly #entries = new Set<Entry>();
  /** Stages that give their memory back just now. */
  readonly #closing = new Map<Promise<void>, KeptStage>();
  #closed = false;
  #letGo: (ringId: string) => void = () => {};

  constructor(options: KeptStagesOptions) {
    this.#options = options;
  }

  list(): readonly KeptStage[] {
    return [...this.#entries];
  }

  /** Who holds stages in rings is asked to let go of one. */
  heldBy(letGo: (ringId: string) => void): void {
    this.#letGo = letGo;
  }

  /** What this node still holds in these rings is kept from now on: another ring takes their place. */
  leaveRings(ringIds: readonly string[]): void {
    for (const ringId of ringIds) this.#letGo(ringId);
  }

  /** Takes a stage that left its ring. */
  keep(kept: KeptStage): void {
    if (this.#closed) {
      this.#close(kept);
      return;
    }
    const milliseconds = kept.spare ? SPARE_MS : (this.#options.keepMs ?? KEEP_MS);
    const entry: Entry = { ...kept, timer: setTimeout(() => this.#expire(entry), milliseconds).unref() };
    this.#entries.add(entry);
  }

  /** A stage like this stays for longer; `null`: there is none. */
  renew(wanted: WantedStage): Stage | null {
    const entry = this.#find(wanted);
    if (entry === undefined) return null;
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => this.#expire(entry), SPARE_MS).unref();
    return entry.stage;
  }

  /** A stage that is as it is wanted, with nothing of its past in it; `null`: there is none. */
  async take(wanted: WantedStage): Promise<Stage | null> {
    const entry = this.#find(wanted);
    if (entry === undefined) return null;
    this.#remove(entry);
    if (await isEmptied(entry.stage)) return entry.stage;
    this.#close(entry);
    return null;
  }

  /** Does what takes memory; where there is too little, once more in the place of what is kept. */
  async makingWay<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (thrown) {
      if (ExoError.from(thrown).code !== "out_of_memory" || this.#entries.size === 0) throw thrown;
      this.#options.logger.info({ stages: this.#entries.size }, "stages that were kept make way");
      await this.free(() => true);
      return work();
    }
  }

  /** Frees those that are meant; resolves when their memory is free. */
  async free(isMeant: (kept: KeptStage) => boolean): Promise<void> {
    for (const entry of [...this.#entries].filter(isMeant)) {
      this.#remove(entry);
      this.#close(entry);
    }
    const closing = [...this.#closing].filter(([, kept]) => isMeant(kept));
    await Promise.all(closing.map(([closed]) => closed));
  }

  /** Frees everything, now and from now on. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.free(() => true);
  }

  #find(wanted: WantedStage): Entry | undefined {
    return [...this.#entries].find((entry) => isAsWanted(entry, wanted));
  }

  #expire(entry: Entry): void {
    const { ringId, spec, stage } = entry;
    const { layerBegin, layerEnd } = stage.options;
    const layers = `[${layerBegin}, ${layerEnd})`;
    this.#options.logger.info({ ring: ringId, model: spec, layers }, "nobody needs the stage any more: it is freed");
    this.#remove(entry);
    this.#close(entry);
  }

  #remove(entry: Entry): void {
    clearTimeout(entry.timer);
    this.#entries.delete(entry);
  }

  #close(kept: KeptStage): void {
    const closed = kept.stage.close().finally(() => this.#closing.delete(closed));
    this.#closing.set(closed, kept);
  }
}

function isAsWanted(kept: KeptStage, wanted: WantedStage): boolean {
  if (kept.spec !== wanted.spec || kept.modelHash !== wanted.modelHash) return false;
  const { threads = 0, batchThreads = threads } = kept.stage.options;
  const { threads: most = 0, batchThreads: mostInBatches = most } = wanted.options;
  // With fewer threads than it might have it is only slower; with more it would be in its neighbours' way.
  if (threads > most || batchThreads > mostInBatches) return false;
  return isDeepStrictEqual(whatIsFixed(kept.stage.options), whatIsFixed(wanted.options));
}

/** Options that a loaded stage cannot change; where the file lies does not matter any more. */
function whatIsFixed(options: Omit<StageOptions, "modelPath">): object {
  return { ...options, modelPath: "", threads: 0, batchThreads: 0 };
}

/** Behind everything that the stage was given before. `false`: it cannot be used again. */
async function isEmptied(stage: Stage): Promise<boolean> {
  const emptied = stage.decode({ rows: encodeRows([]), kvOperations: FORGET }).then(
    () => true,
    () => false,
  );
  return (await resolvedWithin(emptied, EMPTY_MS)) ?? false;
}
