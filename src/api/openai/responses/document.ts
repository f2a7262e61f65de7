import type { ResponseEcho } from "../../schema/responses.js";
import type { AnswerContext, Finished } from "../answer.js";
import { timingsJson } from "../usage.js";
import type { OutputItemJson } from "./items.js";

export type ResponseStatus = "in_progress" | "completed" | "incomplete" | "failed";

export interface ResponseState {
  readonly status: ResponseStatus;
  readonly output: readonly OutputItemJson[];
  readonly finished: Finished | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Seconds since the Unix epoch; `null` until it is complete. */
  readonly completedAt: number | null;
}

export const IN_PROGRESS: ResponseState = {
  status: "in_progress",
  output: [],
  finished: null,
  error: null,
  completedAt: null,
};

/** OpenAI's response object. */
export function responseDocument(context: AnswerContext, echo: ResponseEcho, state: ResponseState) {
  const { finished } = state;
  return {
    id: responseId(context),
    object: "response",
    created_at: context.created,
    completed_at: state.completedAt,
    status: state.status,
    background: false,
    error: state.error,
    incomplete_details: state.status === "incomplete" ? { reason: "max_output_tokens" } : null,
    model: context.model,
    output: state.output,
    usage: finished === null ? null : usageJson(finished),
    ...echoJson(echo),
    previous_response_id: null,
    service_tier: "default",
    store: false,
    truncation: "disabled",
    ...(finished === null ? {} : { timings: timingsJson(finished.usage, finished.timings) }),
  };
}

export type ResponseDocument = ReturnType<typeof responseDocument>;

/** As OpenAI writes it; with `-` it is the id in the node's log. */
export function responseId({ id }: AnswerContext): string {
  return id.replace("-", "_");
}

function echoJson(echo: ResponseEcho) {
  return {
    instructions: echo.instructions,
    max_output_tokens: echo.maxOutputTokens,
    max_tool_calls: null,
    metadata: echo.metadata,
    parallel_tool_calls: echo.parallelToolCalls,
    reasoning: echo.reasoning,
    temperature: echo.temperature,
    top_p: echo.topP,
    top_logprobs: echo.topLogprobs,
    text: echo.text,
    tool_choice: echo.toolChoice,
    tools: echo.tools,
    user: echo.user,
  };
}

function usageJson({ usage }: Finished) {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}
