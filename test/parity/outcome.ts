import { z } from "zod";
import { TINY_EOS } from "../support/tiny-gguf.js";

/** One token of an answer: its id, its log-probability, and those of the best ones by their text. */
const token = z.object({ id: z.int(), logprob: z.number(), top: z.array(z.tuple([z.string(), z.number()])) });

export type Token = z.infer<typeof token>;

const choice = z.object({
  text: z.string(),
  reasoning: z.string(),
  calls: z.array(z.object({ name: z.string(), arguments: z.string() })),
  /** `null` where the API has none. */
  finish: z.string().nullable(),
  tokens: z.array(token).nullable(),
});

/** What two servers are compared by. */
export const outcomeSchema = z.object({
  status: z.int(),
  choices: z.array(choice),
  promptTokens: z.int().nullable(),
  completionTokens: z.int().nullable(),
});
export type Outcome = z.infer<typeof outcomeSchema>;
export type Choice = z.infer<typeof choice>;

export type ParityPath = "/v1/completions" | "/v1/chat/completions" | "/v1/responses";

const chosenToken = z.object({
  id: z.int(),
  logprob: z.number(),
  top_logprobs: z.array(z.object({ token: z.string(), logprob: z.number() })),
});
const contentLogprobs = z.object({ content: z.array(chosenToken) });
const columnLogprobs = z.object({
  token_ids: z.array(z.int()),
  token_logprobs: z.array(z.number()),
  top_logprobs: z.array(z.record(z.string(), z.number())),
});
const logprobs = z.union([contentLogprobs, columnLogprobs]).nullish();
type Logprobs = z.infer<typeof logprobs>;

const usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int() });
const call = z.object({ function: z.object({ name: z.string(), arguments: z.string() }) });

const textAnswer = z.object({
  choices: z.array(z.object({ index: z.int(), text: z.string(), finish_reason: z.string(), logprobs })),
  usage,
});

const chatAnswer = z.object({
  choices: z.array(
    z.object({
      index: z.int(),
      message: z.object({
        content: z.string().nullish(),
        reasoning_content: z.string().nullish(),
        tool_calls: z.array(call).nullish(),
      }),
      finish_reason: z.string(),
      logprobs,
    }),
  ),
  usage,
});

const part = z.object({ type: z.string(), text: z.string().optional() });
const item = z.object({
  type: z.string(),
  content: z.array(part).optional(),
  name: z.string().optional(),
  arguments: z.string().optional(),
});
const responseAnswer = z.object({
  output: z.array(item),
  usage: z.object({ input_tokens: z.int(), output_tokens: z.int() }),
});

/** @param body of an answer that is not streamed; llama-server sends several choices as an array of answers */
export function outcomeOf(path: ParityPath, status: number, body: unknown): Outcome {
  if (status !== 200) return { status, choices: [], promptTokens: null, completionTokens: null };
  if (path === "/v1/responses") return responseOutcome(body);
  const schema = path === "/v1/completions" ? textAnswer.transform(fromText) : chatAnswer.transform(fromChat);
  return schema.parse(body);
}

function fromText({ choices, usage: used }: z.infer<typeof textAnswer>): Outcome {
  return counted(
    choices.map(({ index, text, finish_reason: finish, logprobs: told }) => [
      index,
      { text, reasoning: "", calls: [], finish, tokens: tokensOf(told) },
    ]),
    used,
  );
}

function fromChat({ choices, usage: used }: z.infer<typeof chatAnswer>): Outcome {
  return counted(
    choices.map(({ index, message, finish_reason: finish, logprobs: told }) => [
      index,
      {
        text: message.content ?? "",
        reasoning: message.reasoning_content ?? "",
        calls: (message.tool_calls ?? []).map((one) => ({ ...one.function })),
        finish,
        tokens: tokensOf(told),
      },
    ]),
    used,
  );
}

function counted(choices: readonly (readonly [number, Choice])[], used: z.infer<typeof usage>): Outcome {
  return {
    status: 200,
    choices: [...choices].sort(([a], [b]) => a - b).map(([, one]) => one),
    promptTokens: used.prompt_tokens,
    completionTokens: used.completion_tokens,
  };
}

function responseOutcome(body: unknown): Outcome {
  const { output, usage: used } = responseAnswer.parse(body);
  const textOf = (type: string): string =>
    output
      .filter((one) => one.type === type)
      .flatMap((one) => one.content ?? [])
      .map((one) => one.text ?? "")
      .join("");
  const calls = output.filter((one) => one.type === "function_call");
  const only: Choice = {
    text: textOf("message"),
    reasoning: textOf("reasoning"),
    calls: calls.map((one) => ({ name: one.name ?? "", arguments: one.arguments ?? "" })),
    finish: null,
    tokens: null,
  };
  return { status: 200, choices: [only], promptTokens: used.input_tokens, completionTokens: used.output_tokens };
}

/** llama-server also lists the end of the answer, which is no text. */
function tokensOf(told: Logprobs): Choice["tokens"] {
  if (told === null || told === undefined) return null;
  const all =
    "content" in told
      ? told.content.map(({ id, logprob, top_logprobs: top }) => ({
          id,
          logprob,
          top: top.map((one): [string, number] => [one.token, one.logprob]),
        }))
      : told.token_ids.map((id, at) => ({
          id,
          logprob: told.token_logprobs[at] ?? Number.NaN,
          top: Object.entries(told.top_logprobs[at] ?? {}),
        }));
  return all.filter(({ id }) => id !== TINY_EOS);
}
