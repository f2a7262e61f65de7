import { randomInt } from "node:crypto";
import { ExoError } from "../core/errors.js";
import type { SamplingOptions } from "../core/inference.js";
import type { NativeSamplerParams, SamplerHandle, StageHandle } from "./bindings.js";
import { loadBindings } from "./load.js";
import { nativeCall } from "./native-call.js";
import { forGrammar } from "./schema/for-grammar.js";
import { ANSWER_SCHEMA, checkSchemaText } from "./schema-limits.js";

/** llama.cpp's own defaults. */
export const DEFAULT_SAMPLING = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repeatPenalty: 1,
  repeatLastN: 64,
  frequencyPenalty: 0,
  presencePenalty: 0,
} as const satisfies SamplingOptions;

export interface SamplerOptions extends SamplingOptions {
  readonly ignoreEos?: boolean;
  /** What `Chat.render` gave; it then covers `grammar` and `jsonSchema`, which are not read again. */
  readonly constraint?: string | null;
}

/** The sampling state of one sequence: random numbers, penalties' history, grammar position. */
export class Sampler {
  /** What the random numbers started from; a sampler made again with it and fed the same tokens goes on alike. */
  readonly seed: number;
  readonly handle: SamplerHandle;

  constructor(stage: StageHandle, options: SamplerOptions) {
    const params = toNativeSamplerParams(options);
    this.seed = params.seed;
    const create = (): SamplerHandle => nativeCall(() => loadBindings().sampler_create(stage, params));
    this.handle = blaming(
      [
        ["The grammar ", grammarField(options)],
        ["The logit bias ", "logit_bias"],
      ],
      create,
    );
  }

  /** Prompt tokens: they count for the penalties only. */
  acceptPrompt(tokens: readonly number[]): void {
    nativeCall(() => loadBindings().sampler_accept(this.handle, Int32Array.from(tokens), false));
  }

  /** Answer tokens that another sampler chose before: grammar and random numbers move on as if chosen here. */
  acceptAnswer(tokens: readonly number[]): void {
    nativeCall(() => loadBindings().sampler_accept(this.handle, Int32Array.from(tokens), true));
  }

  /** Idempotent. */
  close(): void {
    loadBindings().sampler_close(this.handle);
  }
}

function toNativeSamplerParams(options: SamplerOptions): NativeSamplerParams {
  const bias = Object.entries(options.logitBias ?? {});
  const constraint = options.constraint ?? null;
  return {
    seed: options.seed === undefined ? randomInt(0, 2 ** 32 - 1) : toUint32(options.seed),
    temperature: options.temperature ?? DEFAULT_SAMPLING.temperature,
    top_k: options.topK ?? DEFAULT_SAMPLING.topK,
    top_p: options.topP ?? DEFAULT_SAMPLING.topP,
    min_p: options.minP ?? DEFAULT_SAMPLING.minP,
    repeat_penalty: options.repeatPenalty ?? DEFAULT_SAMPLING.repeatPenalty,
    repeat_last_n: options.repeatLastN ?? DEFAULT_SAMPLING.repeatLastN,
    frequency_penalty: options.frequencyPenalty ?? DEFAULT_SAMPLING.frequencyPenalty,
    presence_penalty: options.presencePenalty ?? DEFAULT_SAMPLING.presencePenalty,
    logit_bias_tokens: Int32Array.from(bias, ([token]) => tokenOf(token)),
    logit_bias_values: Float32Array.from(bias, ([, value]) => value),
    ignore_eos: options.ignoreEos ?? false,
    grammar: constraint === null ? grammarOf(options) : null,
    constraint,
  };
}

function grammarOf({ grammar, jsonSchema }: SamplingOptions): string | null {
  if (grammar !== undefined && jsonSchema !== undefined) {
    throw new ExoError("invalid_argument", "Give a grammar or a JSON schema, not both.", { param: "grammar" });
  }
  return grammar ?? (jsonSchema === undefined ? null : grammarOfJsonSchema(jsonSchema));
}

/** JSON schema text → GBNF. */
export function grammarOfJsonSchema(schema: string): string {
  checkSchemaText(schema);
  const mended = schemaTextForGrammar(schema);
  const convert = (): string => nativeCall(() => loadBindings().json_schema_to_grammar(mended));
  return blaming([["The JSON schema ", ANSWER_SCHEMA]], convert);
}

/** @param schema JSON text that was checked */
export function schemaTextForGrammar(schema: string): string {
  return JSON.stringify(forGrammar<unknown>(JSON.parse(schema)));
}

/** The field of a request that a grammar came from. */
function grammarField({ grammar, jsonSchema }: SamplingOptions): string | null {
  if (grammar !== undefined) return "grammar";
  return jsonSchema === undefined ? null : ANSWER_SCHEMA;
}

/**
 * Native code does not know the fields of a request.
 *
 * @param fields how its sentences begin, and the field that each of them is about
 */
function blaming<Value>(fields: readonly (readonly [string, string | null])[], make: () => Value): Value {
  try {
    return make();
  } catch (thrown) {
    const error = ExoError.from(thrown);
    const param = fields.find(([beginning]) => error.message.startsWith(beginning))?.[1] ?? null;
    throw param === null ? error : new ExoError(error.code, error.message, { cause: thrown, param });
  }
}

function tokenOf(key: string): number {
  const token = Number(key);
  if (Number.isInteger(token) && token >= 0) return token;
  throw new ExoError("invalid_argument", `Expected token ids as keys of logitBias, received "${key}".`, {
    param: "logitBias",
  });
}

/** Seeds of any integer are welcome (OpenAI clients send 64-bit ones); llama.cpp takes 32 bits, and all ones means random. */
function toUint32(seed: number): number {
  if (!Number.isInteger(seed)) {
    throw new ExoError("invalid_argument", `Expected an integer for seed, received ${seed}.`, { param: "seed" });
  }
  const low = seed >>> 0;
  return low === 0xffffffff ? 0xfffffffe : low;
}
