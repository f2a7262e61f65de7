import { ExoError } from "../core/errors.js";
import type { InferenceEvent, InferenceRequest, InferenceService } from "../core/inference.js";

/** Choices of one HTTP request that are generated at once; the rest wait, so that one client cannot fill the queue. */
const CHOICES_AT_ONCE = 8;

/** An event of one of the answers that a request asked for. */
export interface ChoiceEvent {
  readonly choice: number;
  readonly event: InferenceEvent;
}

type Step =
  | { readonly kind: "event"; readonly choice: number; readonly event: InferenceEvent }
  | { readonly kind: "end"; readonly choice: number }
  | { readonly kind: "full"; readonly choice: number; readonly thrown: ExoError }
  | { readonly kind: "failed"; readonly thrown: unknown };

/**
 * The events of several answers as they come, those of each answer in order; `requests[i]` makes choice `i`. The first
 * failure, an abort, or leaving the loop ends them all; a choice for which there is no room waits for another one to end.
 */
export async function* generateChoices(
  inference: InferenceService,
  requests: readonly InferenceRequest[],
  signal: AbortSignal,
): AsyncGenerator<ChoiceEvent, void> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const waiting = [...requests.keys()];
  const running = new Map<number, Answer>();
  const startNext = (): void => {
    const choice = waiting.shift();
    const request = requests[choice ?? -1];
    if (choice === undefined || request === undefined) return;
    running.set(choice, new Answer(choice, inference.generate(request, stop)));
  };
  const aborted = abortion(signal);
  try {
    signal.throwIfAborted();
    for (let count = 0; count < CHOICES_AT_ONCE; count += 1) startNext();
    while (running.size > 0) {
      const step = await Promise.race([aborted.step, ...[...running.values()].map((answer) => answer.pending)]);
      if (step.kind === "failed") throw step.thrown;
      if (step.kind === "full") {
        // The queue may be full of this request's other choices: then it takes the place of one of them.
        running.delete(step.choice);
        if (running.size === 0) throw step.thrown;
        waiting.unshift(step.choice);
      } else if (step.kind === "end") {
        running.delete(step.choice);
        startNext();
      } else {
        running.get(step.choice)?.advance();
        yield { choice: step.choice, event: step.event };
      }
    }
  } finally {
    aborted.forget();
    left.abort(new ExoError("cancelled", "The answer is no longer wanted."));
    for (const answer of running.values()) answer.leave();
  }
}

/** One answer's events, read one ahead. */
class Answer {
  readonly #choice: number;
  readonly #events: AsyncIterator<InferenceEvent>;
  #begun = false;
  #finished = false;
  /** Never rejects, so that nobody has to listen when the answer is left. */
  pending: Promise<Step>;

  constructor(choice: number, events: AsyncIterable<InferenceEvent>) {
    this.#choice = choice;
    this.#events = events[Symbol.asyncIterator]();
    this.pending = this.#step();
  }

  advance(): void {
    this.pending = this.#step();
  }

  leave(): void {
    this.#events.return?.().catch(() => {});
  }

  async #step(): Promise<Step> {
    try {
      const { value, done } = await this.#events.next();
      if (done === true) return this.#end();
      this.#begun = true;
      if (value.type === "finished") this.#finished = true;
      return { kind: "event", choice: this.#choice, event: value };
    } catch (thrown) {
      const full = thrown instanceof ExoError && thrown.code === "overloaded" && !this.#begun;
      return full ? { kind: "full", choice: this.#choice, thrown } : { kind: "failed", thrown };
    }
  }

  #end(): Step {
    if (this.#finished) return { kind: "end", choice: this.#choice };
    return { kind: "failed", thrown: new ExoError("internal", "The answer ended without saying why.") };
  }
}

/** A step that comes when the signal aborts, even while a generator does not listen to it. */
function abortion(signal: AbortSignal): { readonly step: Promise<Step>; forget(): void } {
  let forget = (): void => {};
  const step = new Promise<Step>((resolve) => {
    const onAbort = (): void => resolve({ kind: "failed", thrown: signal.reason });
    signal.addEventListener("abort", onAbort, { once: true });
    forget = () => signal.removeEventListener("abort", onAbort);
  });
  return { step, forget };
}
