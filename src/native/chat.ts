import { ExoError } from "../core/errors.js";
import type { ChatPrompt, SamplingOptions } from "../core/inference.js";
import type { NativeChatMessage, NativeChatPrompt, StageHandle } from "./bindings.js";
import { loadBindings } from "./load.js";
import { nativeCall } from "./native-call.js";
import { grammarOfJsonSchema, schemaTextForGrammar } from "./sampler.js";
import { forGrammar } from "./schema/for-grammar.js";
import { field, isJson } from "./schema/json.js";
import { checkSchemaText, checkToolSizes } from "./schema-limits.js";

/** What the model's chat template made of the messages. */
export interface RenderedChat {
  /** Tokenize with `addSpecial: true, parseSpecial: true`; llama.cpp does not double a BOS the template wrote. */
  readonly prompt: string;
  /** For `Stage.createSampler`: tools, JSON schema and grammar in one. Opaque text; null when the answer is free. */
  readonly constraint: string | null;
  /** Further stop strings that this template needs. */
  readonly additionalStops: readonly string[];
  /** Special tokens that must be written out (`renderSpecial`) for `parse` to see them. */
  readonly preservedTokens: ReadonlySet<number>;
  /** Opaque; for `Chat.parse`. Plain text, so it may travel to another node with the request. */
  readonly parserState: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text; incomplete while the answer is. */
  readonly arguments: string;
}

/** A raw answer taken apart. */
export interface ParsedAnswer {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
}

/** The model's chat template, and the parser for the answers it leads to. */
export class Chat {
  readonly #stage: StageHandle;

  constructor(stage: StageHandle) {
    this.#stage = stage;
  }

  /** Throws `unsupported` when the model has no chat template, `invalid_argument` for messages it cannot take. */
  render(chat: ChatPrompt, sampling: Pick<SamplingOptions, "grammar" | "jsonSchema"> = {}): RenderedChat {
    checkToolSizes(chat.tools ?? []);
    const { jsonSchema } = sampling;
    if (jsonSchema !== undefined) checkSchemaText(jsonSchema);
    const request = toRequest(chat, sampling);
    try {
      return toRenderedChat(nativeCall(() => loadBindings().chat_apply(this.#stage, request)));
    } catch (thrown) {
      // llama-common does not say which part of a request it refuses; alone, a schema that is wrong is named.
      if (jsonSchema !== undefined) grammarOfJsonSchema(jsonSchema);
      for (const [index, tool] of (chat.tools ?? []).entries()) checkConvertible(tool, `tools[${index}]`);
      throw thrown;
    }
  }

  /** Takes the raw text so far apart; `partial` while more is to come. */
  parse(rendered: Pick<RenderedChat, "parserState">, text: string, partial: boolean): ParsedAnswer {
    const json = nativeCall(() => loadBindings().chat_parse(this.#stage, rendered.parserState, text, partial));
    const message = JSON.parse(json) as NativeChatMessage;
    return { content: message.content, reasoning: message.reasoning_content, toolCalls: message.tool_calls };
  }
}

function toRequest(chat: ChatPrompt, sampling: Pick<SamplingOptions, "grammar" | "jsonSchema">): string {
  return JSON.stringify({
    messages: chat.messages,
    tools: chat.tools?.map(withSchemaForGrammar) ?? null,
    tool_choice: chat.toolChoice ?? null,
    parallel_tool_calls: chat.parallelToolCalls ?? null,
    json_schema: sampling.jsonSchema === undefined ? null : schemaTextForGrammar(sampling.jsonSchema),
    grammar: sampling.grammar ?? null,
    add_generation_prompt: true,
    enable_thinking: chat.enableThinking ?? null,
    template_variables: chat.templateVariables ?? null,
  });
}

type Tool = NonNullable<ChatPrompt["tools"]>[number];

function parametersOf(tool: Tool): unknown {
  const definition = isJson(tool) ? field(tool, "function") : undefined;
  return isJson(definition) ? field(definition, "parameters") : undefined;
}

function withSchemaForGrammar(tool: Tool): unknown {
  const definition = isJson(tool) ? field(tool, "function") : undefined;
  const parameters = parametersOf(tool);
  if (!isJson(tool) || !isJson(definition) || !isJson(parameters)) return tool;
  return { ...tool, function: { ...definition, parameters: forGrammar(parameters) } };
}

function checkConvertible(tool: Tool, param: string): void {
  const parameters = parametersOf(tool);
  if (parameters === undefined || parameters === null) return;
  try {
    grammarOfJsonSchema(JSON.stringify(parameters));
  } catch (thrown) {
    const { code, message } = ExoError.from(thrown);
    throw new ExoError(code, message, { cause: thrown, param });
  }
}

function toRenderedChat(native: NativeChatPrompt): RenderedChat {
  return {
    prompt: native.prompt,
    constraint: native.constraint,
    additionalStops: native.additional_stops,
    preservedTokens: new Set(native.preserved_tokens),
    parserState: native.parser_state,
  };
}
