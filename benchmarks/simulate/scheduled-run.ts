import { silentLogger } from "../../src/core/ports.js";
import type { Sampler } from "../../src/native/sampler.js";
import { Scheduler } from "../../src/runtime/scheduler.js";
import type { GenerationJob, JobOutcome } from "../../src/runtime/slot.js";
import { SimulatedRing } from "./simulated-ring.js";
import type { RingSpec } from "./stage-cost.js";
import { VirtualTime } from "./virtual-time.js";

export interface RunSettings {
  /** Rows in one micro-batch at most. */
  readonly ubatch: number;
  readonly slots: number;
  readonly contextSize: number;
}

/** One request: so many tokens in, so many out. */
export interface Request {
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** Seconds of virtual time. */
export interface AnswerTimes {
  readonly sent: number;
  readonly first: number;
  readonly last: number;
}

export interface RunResult {
  readonly answers: readonly AnswerTimes[];
  readonly seconds: number;
  /** Part of the time that each stage computed. */
  readonly utilisation: readonly number[];
}

/** Only handed on, by a pipeline that samples nothing. */
const NO_SAMPLER = {} as Sampler;

/** The real scheduler over a simulated ring. Requests of one call are sent at once. */
export class ScheduledRun {
  readonly #time = new VirtualTime();
  readonly #ring: SimulatedRing;
  readonly #scheduler: Scheduler;

  constructor(spec: RingSpec, settings: RunSettings) {
    this.#ring = new SimulatedRing(this.#time, spec);
    const options = {
      pipeline: this.#ring,
      slotCount: settings.slots,
      contextSize: settings.contextSize,
      microBatchSize: settings.ubatch,
      queueLimit: Number.MAX_SAFE_INTEGER,
      contextFull: "stop" as const,
      speculator: null,
      canTrim: true,
      clock: this.#time.clock,
      logger: silentLogger,
    };
    this.#scheduler = new Scheduler(options);
  }

  /** What the scheduler learns of the ring in one call it knows in the next. */
  async answer(requests: readonly Request[]): Promise<RunResult> {
    const begun = this.#time.now;
    const before = this.#ring.busySeconds();
    const jobs = requests.map((request) => new SimulatedJob(request, this.#time));
    for (const job of jobs) this.#scheduler.submit(job);
    const answers = await this.#time.run(Promise.all(jobs.map((job) => job.ended)));
    const seconds = this.#time.now - begun;
    const busy = this.#ring.busySeconds();
    return { answers, seconds, utilisation: busy.map((sum, stage) => (sum - (before[stage] ?? 0)) / seconds) };
  }
}

class SimulatedJob implements GenerationJob {
  readonly promptTokens: readonly number[];
  readonly maxTokens: number;
  readonly sampler = NO_SAMPLER;
  readonly logprobs = 0;
  readonly signal = new AbortController().signal;
  readonly reusePrefix = false;
  readonly speculation = false;
  readonly keepTokens = 0;
  readonly timeLimitMs = null;
  readonly readerIsBehind = false;
  readonly ended: Promise<AnswerTimes>;
  readonly #time: VirtualTime;
  readonly #sent: number;
  #first = 0;
  #settle: (outcome: JobOutcome) => void = () => {};

  constructor({ promptTokens, answerTokens }: Request, time: VirtualTime) {
    this.promptTokens = new Array<number>(promptTokens).fill(0);
    this.maxTokens = answerTokens;
    this.#time = time;
    this.#sent = time.now;
    this.ended = new Promise((resolve, reject) => {
      this.#settle = (outcome) => {
        if (outcome.kind === "finished") resolve({ sent: this.#sent, first: this.#first, last: time.now });
        else reject(outcome.kind === "failed" ? outcome.error : new Error("A simulated request was cancelled."));
      };
    });
  }

  whenReaderCaughtUp(): void {}

  onStarted(): void {}

  onDrafted(): void {}

  onToken(): boolean {
    if (this.#first === 0) this.#first = this.#time.now;
    return true;
  }

  deliver(): void {}

  onEnd(outcome: JobOutcome): void {
    this.#settle(outcome);
  }
}
