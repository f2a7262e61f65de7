import type { StageWorkRecord } from "../cluster/node-record.js";
import { ROW_BYTES } from "../native/bindings.js";
import type { DecodeResult, MicroBatch, Stage } from "../native/stage.js";
import { type ComputedPasses, PassLog } from "./pass-log.js";

/** What an edge sent, as its `HopClient` counts it. */
export interface SentFrames {
  readonly framesSent: number;
  readonly bytesSent: number;
}

/** What came by an edge. */
export interface ReceivedFrames {
  readonly framesReceived: number;
  readonly bytesReceived: number;
}

export const NOTHING_RECEIVED: ReceivedFrames = { framesReceived: 0, bytesReceived: 0 };

export function addReceived(before: ReceivedFrames, frame: Uint8Array): ReceivedFrames {
  return { framesReceived: before.framesReceived + 1, bytesReceived: before.bytesReceived + frame.byteLength };
}

const NOTHING_SENT: SentFrames = { framesSent: 0, bytesSent: 0 };

/** A stage that counts what it computes. */
export class MeteredStage implements Pick<Stage, "decode" | "close"> {
  readonly #stage: Pick<Stage, "decode">;
  readonly #release: () => Promise<void>;
  #microBatches = 0;
  #rows = 0;
  #copies = 0;
  #computeSeconds = 0;
  #underWay = 0;
  readonly #passes = new PassLog();

  /** @param release what closing comes to */
  constructor(stage: Pick<Stage, "decode" | "close">, release = () => stage.close()) {
    this.#stage = stage;
    this.#release = release;
  }

  async decode(batch: MicroBatch): Promise<DecodeResult> {
    this.#underWay += 1;
    try {
      const result = await this.#stage.decode(batch);
      this.#passes.add(batch.rows, result.computeSeconds);
      this.#microBatches += 1;
      this.#rows += batch.rows.byteLength / ROW_BYTES;
      this.#copies += result.copies;
      this.#computeSeconds += result.computeSeconds;
      return result;
    } finally {
      this.#underWay -= 1;
    }
  }

  close(): Promise<void> {
    return this.#release();
  }

  /** Micro-batches are being computed, or wait. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** What `work` sums up, one by one. */
  passes(): ComputedPasses {
    return this.#passes.snapshot();
  }

  /** Since the stage was loaded. */
  work({ framesSent, bytesSent }: SentFrames = NOTHING_SENT): StageWorkRecord {
    return {
      microBatches: this.#microBatches,
      rows: this.#rows,
      copies: this.#copies,
      computeSeconds: this.#computeSeconds,
      framesSent,
      bytesSent,
    };
  }
}
