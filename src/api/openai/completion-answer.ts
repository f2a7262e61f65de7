import type { TokenLogprob, Usage } from "../../core/inference.js";
import type { ChoiceEvent } from "../generate-choices.js";
import type { Answer, AnswerContext } from "./answer.js";
import { inOrder } from "./chat-answer.js";
import { sayable } from "./logprob.js";
import { envelope, timingsJson, usageChunk, usageJson } from "./usage.js";

const OBJECT = "text_completion";

/** The body of a `/v1/completions` answer. `echoes[i]`: the text that choice `i` begins with. */
export function textCompletion(context: AnswerContext, answers: readonly Answer[], echoes: readonly string[]) {
  const first = answers[0];
  return {
    ...envelope(context, OBJECT),
    choices: answers.map((answer, index) => ({
      index,
      text: (echoes[index] ?? "") + answer.text,
      logprobs: new LegacyLogprobs().json(answer.logprobs),
      finish_reason: answer.reason,
    })),
    usage: usageJson(
      answers.map((answer) => answer.usage),
      context.choicesPerInput,
    ),
    ...(first === undefined ? {} : { timings: timingsJson(first.usage, first.timings) }),
  };
}

export async function* textChunks(
  context: AnswerContext,
  events: AsyncIterable<ChoiceEvent>,
  echoes: readonly string[],
) {
  const head = { ...envelope(context, OBJECT), ...(context.includeUsage ? { usage: null } : {}) };
  const logprobs = Array.from({ length: context.choices }, () => new LegacyLogprobs());
  const usages = new Map<number, Usage>();
  for await (const { choice: index, event } of events) {
    if (event.type === "started") {
      const text = echoes[index] ?? "";
      if (text !== "") yield { ...head, choices: [{ index, text, logprobs: null, finish_reason: null }] };
    } else if (event.type === "delta") {
      const choice = { index, text: event.text, logprobs: logprobs[index]?.json(event.logprobs ?? []) ?? null };
      yield { ...head, choices: [{ ...choice, finish_reason: null }] };
    } else {
      usages.set(index, event.usage);
      const choices = [{ index, text: "", logprobs: null, finish_reason: event.reason }];
      yield { ...head, choices, timings: timingsJson(event.usage, event.timings) };
    }
  }
  if (context.includeUsage) yield usageChunk(context, OBJECT, inOrder(usages));
}

/** The older shape of log-probabilities, in columns; offsets count UTF-16 units of the answer's tokens so far. */
class LegacyLogprobs {
  #offset = 0;

  json(tokens: readonly TokenLogprob[]) {
    if (tokens.length === 0) return null;
    return {
      tokens: tokens.map((one) => one.text),
      // Our addition: several tokens may share a text.
      token_ids: tokens.map((one) => one.token),
      token_logprobs: tokens.map((one) => sayable(one.logprob)),
      top_logprobs: tokens.map((one) =>
        Object.fromEntries(one.top.map(({ text, logprob }) => [text, sayable(logprob)])),
      ),
      text_offset: tokens.map((one) => {
        const at = this.#offset;
        this.#offset += one.text.length;
        return at;
      }),
    };
  }
}
