import type { InferenceEvent } from "../../../core/inference.js";
import type { ErrorResponse } from "../../error-response.js";
import type { ChoiceEvent } from "../../generate-choices.js";
import type { ResponseEcho } from "../../schema/responses.js";
import type { NamedEvent } from "../../stream-format.js";
import type { Answer, AnswerContext, Finished } from "../answer.js";
import { IN_PROGRESS, type ResponseDocument, type ResponseState, responseDocument, responseId } from "./document.js";
import type { EventBody } from "./items.js";
import { ResponseOutput } from "./output.js";

/** The answer to one `POST /v1/responses`, as the events of its stream or as the document that they end with. */
export class ResponseAnswer {
  readonly #echo: ResponseEcho;
  /** Seconds since the Unix epoch. */
  readonly #now: () => number;
  /** Once its stream has begun. */
  #begun: { readonly context: AnswerContext; readonly output: ResponseOutput } | null = null;
  #sequence = 0;

  constructor(echo: ResponseEcho, now: () => number) {
    this.#echo = echo;
    this.#now = now;
  }

  /** Every event of the stream but that of a failure. */
  async *events(context: AnswerContext, choices: AsyncIterable<ChoiceEvent>): AsyncGenerator<NamedEvent, void> {
    const output = this.#output(context);
    for await (const { event } of choices) {
      if (this.#begun === null) {
        this.#begun = { context, output };
        yield this.#named({ type: "response.created", response: this.#document(context, IN_PROGRESS) });
        yield this.#named({ type: "response.in_progress", response: this.#document(context, IN_PROGRESS) });
      }
      for (const body of this.#eventsOf(context, output, event)) yield this.#named(body);
    }
  }

  /** The same answer, whole. */
  document(context: AnswerContext, answers: readonly Answer[]): ResponseDocument {
    const output = this.#output(context);
    const [answer] = answers;
    if (answer === undefined) return this.#document(context, IN_PROGRESS);
    const { text, textLogprobs: logprobs, reasoning, toolCalls: calls, reason, usage, timings } = answer;
    const toolCalls = calls.map(({ id, function: called }, index) => ({ index, id, ...called }));
    drain(output.push({ type: "delta", text, reasoning, toolCalls, logprobs }));
    const finished: Finished = { type: "finished", reason, usage, timings };
    drain(output.end(reason === "length" ? "incomplete" : "completed"));
    return this.#document(context, this.#final(finished, output));
  }

  /** How a failure is told to a client that has had the headers. */
  failure({ body: { error } }: ErrorResponse): NamedEvent {
    const { code, message, param } = error;
    // Before `response.created` there is no response that could fail.
    if (this.#begun === null) return this.#named({ type: "error", code, message, param, error });
    const { context, output } = this.#begun;
    drain(output.end("incomplete"));
    const state: ResponseState = { ...IN_PROGRESS, status: "failed", output: output.json(), error: { code, message } };
    return this.#named({ type: "response.failed", response: this.#document(context, state) });
  }

  *#eventsOf(context: AnswerContext, output: ResponseOutput, event: InferenceEvent): Generator<EventBody> {
    if (event.type === "delta") yield* output.push(event);
    if (event.type !== "finished") return;
    yield* output.end(event.reason === "length" ? "incomplete" : "completed");
    const state = this.#final(event, output);
    yield { type: `response.${state.status}`, response: this.#document(context, state) };
  }

  #final(finished: Finished, output: ResponseOutput): ResponseState {
    const status = finished.reason === "length" ? "incomplete" : "completed";
    const completedAt = status === "completed" ? this.#now() : null;
    return { status, output: output.json(), finished, error: null, completedAt };
  }

  #output(context: AnswerContext): ResponseOutput {
    const summary = this.#echo.reasoning.summary;
    return new ResponseOutput(responseId(context).slice("resp_".length), summary !== null);
  }

  #document(context: AnswerContext, state: ResponseState): ResponseDocument {
    return responseDocument(context, this.#echo, state);
  }

  #named(body: EventBody): NamedEvent {
    const { type, ...fields } = body;
    const data = { type, sequence_number: this.#sequence, ...fields };
    this.#sequence += 1;
    return { event: type, data };
  }
}

function drain(events: Iterable<EventBody>): void {
  for (const _ of events);
}
