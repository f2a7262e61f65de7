import { ExoError } from "../../core/errors.js";

/** A field that other servers know and this one does not do. */
interface Refusal {
  /** Values that ask for nothing special, and so may pass. */
  readonly harmless: (value: unknown) => boolean;
  readonly instead: string;
}

const only =
  (...values: unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);
const empty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const atMostZero = (value: unknown): boolean => typeof value === "number" && value <= 0;
const textModality = (value: unknown): boolean => Array.isArray(value) && value.every((one) => one === "text");
const SAMPLER = "use temperature, top_p, top_k, min_p and the penalties";

const COMMON: Readonly<Record<string, Refusal>> = {
  mirostat: { harmless: only(0), instead: SAMPLER },
  dry_multiplier: { harmless: only(0), instead: SAMPLER },
  xtc_probability: { harmless: only(0), instead: SAMPLER },
  typical_p: { harmless: only(1), instead: SAMPLER },
  top_n_sigma: { harmless: atMostZero, instead: SAMPLER },
  dynatemp_range: { harmless: only(0), instead: SAMPLER },
  samplers: { harmless: empty, instead: SAMPLER },
  lora: { harmless: empty, instead: "load a model with the adapter merged in" },
  n_probs: { harmless: only(0), instead: "use logprobs" },
  post_sampling_probs: { harmless: only(false), instead: "use logprobs, which are those before sampling" },
  n_cmpl: { harmless: only(1), instead: "use n" },
  n_indent: { harmless: only(0), instead: "leave it out" },
  response_fields: { harmless: empty, instead: "the answer always has all fields" },
  t_max_predict_ms: { harmless: atMostZero, instead: "use timeout (seconds), or max_tokens" },
};

/** Prompt fields of chat: refused in `/apply-template` too. */
export const REFUSED_IN_TEMPLATE: Readonly<Record<string, Refusal>> = {
  chat_template: { harmless: only(""), instead: "render the prompt yourself and use /v1/completions" },
  add_generation_prompt: { harmless: only(true), instead: "leave it out" },
  reasoning_format: { harmless: only("auto", "deepseek"), instead: "what a model thinks comes in a field of its own" },
  continue_final_message: { harmless: only(false, "none"), instead: "use /apply-template and /v1/completions" },
};

export const REFUSED_IN_CHAT: Readonly<Record<string, Refusal>> = {
  ...COMMON,
  ...REFUSED_IN_TEMPLATE,
  functions: { harmless: empty, instead: "use tools" },
  function_call: { harmless: only("none", "auto"), instead: "use tool_choice" },
  audio: { harmless: only(), instead: "answers are text" },
  modalities: { harmless: textModality, instead: 'answers are text, so leave it out or send ["text"]' },
  prediction: { harmless: only(), instead: "leave it out" },
  web_search_options: { harmless: only(), instead: "give the model a tool for it" },
  reasoning_budget_tokens: { harmless: only(-1), instead: 'use reasoning_effort: "none" to switch thinking off' },
  thinking_budget_tokens: { harmless: only(-1), instead: 'use reasoning_effort: "none" to switch thinking off' },
};

export const REFUSED_IN_COMPLETION: Readonly<Record<string, Refusal>> = {
  ...COMMON,
  suffix: { harmless: only(""), instead: "write the model's fill-in-the-middle tokens into the prompt" },
  best_of: { harmless: only(1), instead: "use n and choose yourself" },
};

export const REFUSED_IN_MESSAGES: Readonly<Record<string, Refusal>> = {
  container: { harmless: only(), instead: "leave it out" },
  mcp_servers: { harmless: empty, instead: "connect to them yourself and give their tools in tools" },
};

/** Ollama's `options`. Those about how a model is loaded are its owner's affair here, and pass. */
export const REFUSED_IN_OLLAMA_OPTIONS: Readonly<Record<string, Refusal>> = {
  mirostat: { harmless: only(0), instead: SAMPLER },
  tfs_z: { harmless: only(1), instead: SAMPLER },
  typical_p: { harmless: only(1), instead: SAMPLER },
};

const NO_IMAGES: Refusal = { harmless: empty, instead: "models here read text only" };
const NO_TEMPLATE: Refusal = { harmless: only(""), instead: "render the prompt yourself and send it with raw: true" };

export const REFUSED_IN_GENERATE: Readonly<Record<string, Refusal>> = {
  suffix: {
    harmless: only(""),
    instead: "write the model's fill-in-the-middle tokens into the prompt, with raw: true",
  },
  template: NO_TEMPLATE,
  context: { harmless: empty, instead: "use /api/chat and send the conversation's messages" },
  images: NO_IMAGES,
};

export const REFUSED_IN_OLLAMA_MESSAGE: Readonly<Record<string, Refusal>> = { images: NO_IMAGES };

const NOTHING_KEPT = "nothing is kept between requests: send the whole conversation in input";

export const REFUSED_IN_RESPONSES: Readonly<Record<string, Refusal>> = {
  ...COMMON,
  ...REFUSED_IN_TEMPLATE,
  previous_response_id: { harmless: only(""), instead: NOTHING_KEPT },
  conversation: { harmless: only(), instead: NOTHING_KEPT },
  prompt: { harmless: only(), instead: "prompts are not kept here: write it into instructions and input" },
  background: { harmless: only(false), instead: 'an answer comes at once: use "stream": true, or wait for it' },
  truncation: { harmless: only("disabled"), instead: "leave out older items of input yourself" },
  context_management: { harmless: empty, instead: "leave out older items of input yourself" },
  moderation: { harmless: only(), instead: "leave it out" },
  modalities: { harmless: textModality, instead: 'answers are text, so leave it out or send ["text"]' },
  n: { harmless: only(1), instead: "send the request again for another answer" },
  messages: { harmless: only(), instead: "use input" },
  max_tokens: { harmless: only(), instead: "use max_output_tokens" },
  max_completion_tokens: { harmless: only(), instead: "use max_output_tokens" },
  n_predict: { harmless: only(), instead: "use max_output_tokens" },
  response_format: { harmless: only(), instead: "use text.format" },
  json_schema: { harmless: only(), instead: "use text.format" },
  reasoning_effort: { harmless: only(), instead: "use reasoning.effort" },
  logprobs: { harmless: only(false), instead: 'use include: ["message.output_text.logprobs"]' },
};

/** Throws `unsupported` for a field that would be honoured elsewhere: silence would pass for obedience. */
export function refuseFields(refused: Readonly<Record<string, Refusal>>, body: unknown): void {
  if (typeof body !== "object" || body === null) return;
  for (const [field, { harmless, instead }] of Object.entries(refused)) {
    const value: unknown = Reflect.get(body, field);
    if (value === undefined || value === null || harmless(value)) continue;
    throw new ExoError("unsupported", `The field ${field} is not supported; ${instead}.`, { param: field });
  }
}
