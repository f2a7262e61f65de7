import type { StageWorkRecord } from "../cluster/node-record.js";
import { ROW_BYTES } from "../native/bindings.js";
import type { DecodeResult, MicroBatch, Stage } from "../native/stage.js";

/** What an edge sent, as its `HopClient` counts it. */
export interface SentFrames {
  readonly framesSent: number;
  readonly bytesSent: number;
}

const NOTHING_SENT: SentFrames = { framesSent: 0, bytesSent: 0 };

/** A stage that counts what it computes. */
export class MeteredStage implements Pick<Stage, "decode" | "close"> {
  readonly #stage: Pick<Stage, "decode" | "close">;
  #microBatches = 0;
  #rows = 0;
  #copies = 0;
  #computeSeconds = 0;

  constructor(stage: Pick<Stage, "decode" | "close">) {
    this.#stage = stage;
  }

  async decode(batch: MicroBatch): Promise<DecodeResult> {
    const result = await this.#stage.decode(batch);
    this.#microBatches += 1;
    this.#rows += batch.rows.byteLength / ROW_BYTES;
    this.#copies += result.copies;
    this.#computeSeconds += result.computeSeconds;
    return result;
  }

  close(): Promise<void> {
    return this.#stage.close();
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
