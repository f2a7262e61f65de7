import type { InferenceRequest, Usage } from "../core/inference.js";
import type { Clock, Logger } from "../core/ports.js";
import type { ModelMeter } from "./meters.js";
import { AnswerTrace, type TracedRing } from "./tracing/answer-trace.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";
import type { TraceRecord } from "./tracing/trace-record.js";

export interface AnswerObserverOptions {
  readonly ring: TracedRing;
  readonly meter: ModelMeter;
  /** `null`: nothing is recorded. */
  readonly traces: TraceBuffer | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Measures the answers of one ring at its head, and says in the log how each ended. */
export class AnswerObserver {
  readonly #options: AnswerObserverOptions;

  constructor(options: AnswerObserverOptions) {
    this.#options = options;
  }

  /** A request arrived. */
  begin(request: InferenceRequest): ObservedAnswer {
    return new ObservedAnswer(this.#options, request);
  }
}

const NO_USAGE: Usage = {
  promptTokens: 0,
  completionTokens: 0,
  cachedTokens: 0,
  acceptedDraftTokens: 0,
  rejectedDraftTokens: 0,
};

export class ObservedAnswer {
  /** Milliseconds of the clock. */
  readonly arrivedAt: number;
  readonly meter: ModelMeter;
  /** `null`: this one is not recorded. */
  readonly trace: AnswerTrace | null;
  readonly #options: AnswerObserverOptions;
  readonly #request: InferenceRequest;
  readonly #record: TraceRecord | null;
  #isOver = false;

  constructor(options: AnswerObserverOptions, request: InferenceRequest) {
    const { traces, clock, ring, meter } = options;
    this.#options = options;
    this.#request = request;
    this.arrivedAt = clock.monotonic();
    this.meter = meter;
    this.#record = request.origin === undefined ? null : (traces?.open(request.origin) ?? null);
    this.trace = this.#record === null ? null : new AnswerTrace(this.#record, ring, request.id, clock);
  }

  /** Does the work, and records it by this name. */
  timed<Result>(name: string, work: () => Result): Result {
    return this.trace === null ? work() : this.trace.timed(name, work);
  }

  /** @param outcome a finish reason, or an error's code; only the first call counts */
  ended(outcome: string, usage: Usage = NO_USAGE): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { ring, meter, traces } = this.#options;
    const { promptTokens, cachedTokens, completionTokens } = usage;
    meter.outcomes.add([outcome]);
    this.#log(outcome, { promptTokens, cachedTokens, completionTokens });
    if (this.#record === null) return;
    const tokens = { prompt_tokens: promptTokens, cached_tokens: cachedTokens, completion_tokens: completionTokens };
    this.trace?.ended(outcome, ring.nodes.length > 1 ? { ...tokens, nodes: ring.nodes.length } : tokens);
    traces?.close(this.#record);
  }

  #log(outcome: string, counts: object): void {
    const { ring, clock, logger } = this.#options;
    const milliseconds = Math.round(clock.monotonic() - this.arrivedAt);
    // The name that the entry node's log lines give it, so that one search finds the request on every node.
    const reqId = this.#request.origin?.requestId ?? null;
    logger.info({ reqId, model: ring.model, ring: ring.id, outcome, ...counts, milliseconds }, "answer ended");
  }
}
