import { Attention } from "../core/attention.js";
import { ExoError } from "../core/errors.js";
import type { Clock, Logger } from "../core/ports.js";
import { ROW_BYTES } from "../native/bindings.js";
import type { DecodeResult, MicroBatch, Stage } from "../native/stage.js";
import { PassLimits } from "./pass-limits.js";

export type ComputingStage = Pick<Stage, "decode" | "close">;

export interface StageWatchdogOptions {
  /** `--stage-timeout`: no micro-batch is given less. */
  readonly leastSeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A thread hangs, which nothing but the end of the process frees. Called once. */
  readonly onHang: (error: ExoError) => void;
}

const LOOK_MS = 1_000;

/**
 * Looks after the threads that compute. One that does not come back from a micro-batch for far longer than any took fails
 * it with `stage_lost`, which breaks the ring, and tells that the process must end: a native thread cannot be stopped.
 */
export class StageWatchdog {
  readonly #options: StageWatchdogOptions;
  readonly #attention: Attention;
  /** Those that are computing. */
  readonly #busy = new Set<WatchedStage>();
  #timer: NodeJS.Timeout | null = null;
  #told = false;

  constructor(options: StageWatchdogOptions) {
    this.#options = options;
    this.#attention = new Attention(options.clock, LOOK_MS);
  }

  /** The longest that any micro-batch may take. */
  get longestMs(): number {
    return new PassLimits(this.#options.leastSeconds).mostSeconds * 1000;
  }

  /** @param what the stage in a sentence, e.g. `layers 0-12 of llama` */
  watch(stage: ComputingStage, what: string): ComputingStage {
    const watched: WatchedStage = new WatchedStage(stage, what, {
      limits: new PassLimits(this.#options.leastSeconds),
      now: () => this.#attention.listened(),
      onBusy: () => this.#begin(watched),
      onIdle: () => void this.#busy.delete(watched),
    });
    return watched;
  }

  look(): void {
    const now = this.#attention.look();
    if (this.#busy.size === 0) this.#rest();
    for (const stage of this.#busy) {
      const error = stage.judge(now);
      if (error !== null) this.#hangs(error);
    }
  }

  #hangs(error: ExoError): void {
    if (this.#told) return;
    this.#told = true;
    this.#options.logger.error({ code: error.code }, error.message);
    this.#options.onHang(error);
  }

  #begin(stage: WatchedStage): void {
    this.#busy.add(stage);
    if (this.#timer !== null) return;
    this.#attention.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Waits for the stage's thread. */
interface Due {
  readonly rows: number;
  readonly fail: (error: ExoError) => void;
}

interface WatchedStageOptions {
  readonly limits: PassLimits;
  readonly now: () => number;
  readonly onBusy: () => void;
  readonly onIdle: () => void;
}

class WatchedStage implements ComputingStage {
  readonly #stage: ComputingStage;
  readonly #what: string;
  readonly #options: WatchedStageOptions;
  /** In the order in which they are computed. */
  readonly #due: Due[] = [];
  /** Since when the first is being computed. */
  #since = 0;

  constructor(stage: ComputingStage, what: string, options: WatchedStageOptions) {
    this.#stage = stage;
    this.#what = what;
    this.#options = options;
  }

  decode(batch: MicroBatch): Promise<DecodeResult> {
    const rows = batch.rows.byteLength / ROW_BYTES;
    return new Promise((resolve, reject) => {
      const due: Due = { rows, fail: reject };
      this.#begin(due);
      this.#stage.decode(batch).then(
        (result) => {
          this.#options.limits.add(rows, result.computeSeconds);
          this.#done(due);
          resolve(result);
        },
        (thrown: unknown) => {
          this.#done(due);
          reject(thrown);
        },
      );
    });
  }

  close(): Promise<void> {
    return this.#stage.close();
  }

  /** Fails everything that is due when the thread hangs; returns why, else `null`. */
  judge(now: number): ExoError | null {
    const [first] = this.#due;
    if (first === undefined) return null;
    const limit = this.#options.limits.of(first.rows);
    if (now - this.#since < limit * 1000) return null;
    const error = new ExoError(
      "stage_lost",
      `The thread that computes ${this.#what} has not come back from a micro-batch of ${first.rows} rows for ` +
        `${Math.round(limit)} s; it hangs, and its node has to start again. If the machine is only slow, raise --stage-timeout.`,
    );
    for (const due of this.#due.splice(0)) due.fail(error);
    this.#options.onIdle();
    return error;
  }

  #begin(due: Due): void {
    if (this.#due.push(due) > 1) return;
    this.#options.onBusy();
    this.#since = this.#options.now();
  }

  #done(due: Due): void {
    const at = this.#due.indexOf(due);
    if (at < 0) return;
    this.#due.splice(at, 1);
    this.#since = this.#options.now();
    if (this.#due.length === 0) this.#options.onIdle();
  }
}
