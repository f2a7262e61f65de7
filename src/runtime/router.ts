import type { FoundRing } from "../cluster/found-rings.js";
import { type ErrorCode, ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
} from "../core/inference.js";
import type { Clock, Logger } from "../core/ports.js";
import { RingChoice, type RingDirectory } from "./ring-choice.js";
import { RingSearch } from "./ring-search.js";
import { RunningAnswer } from "./running-answer.js";
import { RouteTrace } from "./tracing/route-trace.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";
import { waitAtMost } from "./wait-limit.js";

export interface RouterOptions {
  /** Answers for the rings whose head is here. */
  readonly local: InferenceService;
  readonly directory: RingDirectory;
  /** As `RingChoiceOptions`. */
  readonly healTimeoutMs: number;
  readonly queueLimit: number;
  /** Asks a node what it has to tell, before it would tell by itself. */
  readonly refresh: (nodeId: string) => void;
  /** `null`: nothing is recorded. */
  readonly traces: TraceBuffer | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** It is the ring that cannot go on, not the request: another ring may be able to, or the same one when it is mended. */
const RING_FAILURES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "overloaded",
  "not_ready",
  "model_not_found",
  "stage_lost",
  "stale_epoch",
  "peer_unreachable",
  "bad_frame",
  // By the other side: whoever cancels here has aborted the signal.
  "cancelled",
]);

/** Texts are cut up and put together by a loaded model; for one that takes longer to load nobody is made to wait. */
const LONGEST_TEXT_MS = 30 * 60_000;

/** Rings that one short question may lose: it may be what breaks them. */
const MOST_TRIES = 4;

/**
 * Answers for every model of the cluster, loaded or still to be: here when this node is the head of its ring, else through
 * that head; where several rings have the model, by the one with least to do. A request outlives its ring: what breaks in the
 * middle of an answer goes on with the next ring where it was.
 */
export class Router implements InferenceService {
  readonly #options: RouterOptions;
  readonly #choice: RingChoice;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#choice = new RingChoice(options);
  }

  /** This node ends: what would wait for another ring ends with this reason. */
  close(reason: ExoError): void {
    this.#choice.close(reason);
  }

  async *generate(request: InferenceRequest, signal: AbortSignal): AsyncGenerator<InferenceEvent, void, void> {
    const { traces, clock } = this.#options;
    const trace = new RouteTrace(traces, request);
    const answer = new RunningAnswer(request, clock);
    const search = new RingSearch(request.model, signal);
    try {
      for (;;) {
        const begun = trace.now();
        const target = await this.#choice.choose(search);
        trace.routed(begun, target);
        const asked = trace.now();
        try {
          for await (const event of this.#through(target, answer.ask(), signal)) {
            if (event.type === "started") search.taken();
            yield* answer.take(event);
          }
          return;
        } catch (thrown) {
          this.#lose(ExoError.from(thrown), target, search, answer);
        } finally {
          trace.asked(asked, target);
        }
      }
    } finally {
      trace.end();
    }
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    return this.#ask(request.model, signal, (service, model) => service.embed({ ...request, model }, signal));
  }

  tokenize(request: TokenizeRequest, signal: AbortSignal): Promise<readonly number[]> {
    return this.#askText(request.model, signal, (service, model, bounded) =>
      service.tokenize({ ...request, model }, bounded),
    );
  }

  detokenize(name: string, tokens: readonly number[], signal: AbortSignal): Promise<string> {
    return this.#askText(name, signal, (service, model, bounded) => service.detokenize(model, tokens, bounded));
  }

  applyTemplate(name: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string> {
    return this.#askText(name, signal, (service, model, bounded) => service.applyTemplate(model, prompt, bounded));
  }

  async *#through(
    target: FoundRing,
    request: InferenceRequest,
    signal: AbortSignal,
  ): AsyncGenerator<InferenceEvent, void, void> {
    const { ring, client, head } = target;
    this.#choice.began(target);
    try {
      // Its head may have another model of the same name.
      yield* (client ?? this.#options.local).generate({ ...request, model: ring.spec }, signal);
    } finally {
      const others = this.#choice.ended(target);
      // Or its slots would still be told to be busy for a while.
      if (client !== null && !others) this.#options.refresh(head);
    }
  }

  /** Asks until a ring answers: what is asked here has no state that could be lost. */
  async #ask<Result>(
    name: string,
    signal: AbortSignal,
    question: (service: InferenceService, model: string) => Promise<Result>,
  ): Promise<Result> {
    const search = new RingSearch(name, signal);
    for (let tries = 1; ; ) {
      const target = await this.#choice.choose(search);
      this.#choice.began(target);
      try {
        return await question(target.client ?? this.#options.local, target.ring.spec);
      } catch (thrown) {
        const error = ExoError.from(thrown);
        // A head that is gone is still told to be there for a while.
        const isNews = error.code !== "peer_unreachable" || !search.hasRefused(target.ring);
        this.#refuse(error, target, search);
        if (isBreak(error) && isNews) tries += 1;
        if (tries > MOST_TRIES) throw lostTooOften(error);
      } finally {
        this.#choice.ended(target);
      }
    }
  }

  #askText<Result>(
    name: string,
    signal: AbortSignal,
    question: (service: InferenceService, model: string, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const otherwise = (): string => `${name} was not ready within ${LONGEST_TEXT_MS / 60_000} minutes.`;
    return waitAtMost({ milliseconds: LONGEST_TEXT_MS, signal, otherwise }, (bounded) =>
      this.#ask(name, bounded, (service, model) => question(service, model, bounded)),
    );
  }

  /** A ring ended without having answered: throws unless the answer can go on with another one. */
  #lose(error: ExoError, target: FoundRing, search: RingSearch, answer: RunningAnswer): void {
    if (answer.isStuck) throw error;
    search.isBegun = answer.tokens > 0;
    search.deadline = answer.deadline;
    this.#refuse(error, target, search);
    if (!answer.isComputed) return;
    search.isLost = true;
    if (!answer.lose()) throw lostTooOften(error);
    const { model, id: ring } = target.ring;
    const { code, message } = error;
    this.#options.logger.warn({ model, ring, tokens: answer.tokens, code, error: message }, "an answer lost its ring");
  }

  /** Notes that a ring refused a request, or broke; throws the reason where there is no use in asking again. */
  #refuse(error: ExoError, { ring }: FoundRing, search: RingSearch): void {
    const isFinal = error.code === "not_ready" && !error.retryable;
    if (search.signal.aborted || isFinal || !RING_FAILURES.has(error.code)) throw error;
    search.refuse(ring, error, this.#options.clock.monotonic());
    if (isBreak(error)) search.isLost = true;
    // Who has not begun is told that there is no room.
    if (error.code === "overloaded" && !search.isBegun && !this.#choice.hasOther(search)) throw error;
  }
}

function isBreak({ code }: ExoError): boolean {
  return code !== "overloaded" && code !== "not_ready" && code !== "model_not_found";
}

function lostTooOften(error: ExoError): ExoError {
  const message = `Ring after ring was lost with this request, so no further one is given it; the last one so: ${error.message}`;
  return new ExoError(error.code, message, { cause: error, retryable: false });
}
