import type { InferenceEvent } from "../../core/inference.js";
import type { ChoiceEvent } from "../generate-choices.js";
import { type NamedEvent, namedEvents } from "../stream-format.js";
import { BlockSequence } from "./block-sequence.js";
import { anthropicError } from "./error.js";
import { type MessageEvent, messageUsage, type StopReason } from "./message.js";

type Started = Extract<InferenceEvent, { type: "started" }>;
type Finished = Extract<InferenceEvent, { type: "finished" }>;

/** How the events are sent. */
export const MESSAGE_STREAM = namedEvents((error, requestId) => ({
  event: "error",
  data: anthropicError(error, requestId),
}));

/** The events of one answer, as Anthropic's streams have them. */
export async function* messageEvents(
  about: { readonly id: string; readonly model: string },
  events: AsyncIterable<ChoiceEvent>,
): AsyncGenerator<MessageEvent, void> {
  const blocks = new BlockSequence();
  for await (const { event } of events) {
    if (event.type === "started") {
      yield messageStart(about, event);
      yield { type: "ping" };
    } else if (event.type === "delta") {
      yield* blocks.add(event);
    } else {
      yield* blocks.close();
      const delta = { stop_reason: stopReason(event), stop_sequence: event.stopSequence ?? null };
      yield { type: "message_delta", delta, usage: messageUsage(event.usage) };
      yield { type: "message_stop" };
    }
  }
}

/** Events bear their type as their name, too. */
export async function* named(events: AsyncIterable<MessageEvent>): AsyncGenerator<NamedEvent, void> {
  for await (const data of events) yield { event: data.type, data };
}

function messageStart({ id, model }: { id: string; model: string }, started: Started): MessageEvent {
  return {
    type: "message_start",
    message: {
      id: id.replace("-", "_"),
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: messageUsage({ ...started, completionTokens: 0 }),
    },
  };
}

function stopReason({ reason, stopSequence }: Finished): StopReason {
  if (reason === "tool_calls") return "tool_use";
  if (reason === "length") return "max_tokens";
  return stopSequence === undefined ? "end_turn" : "stop_sequence";
}
