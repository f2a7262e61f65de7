import type { InferenceEvent, TokenLogprob, ToolCallDelta } from "../core/inference.js";
import type { ParsedAnswer } from "../native/chat.js";
import type { Sample } from "../native/stage.js";
import type { Tokenizer } from "../native/tokenizer.js";
import { TextAssembler } from "./text-assembler.js";

export type DeltaEvent = Extract<InferenceEvent, { type: "delta" }>;

/** Takes the raw answer so far apart into content, reasoning and tool calls; `partial` while more is to come. */
export type AnswerParser = (text: string, partial: boolean) => ParsedAnswer;

export interface AnswerAssemblerOptions {
  readonly tokenizer: Pick<Tokenizer, "decodeBytes">;
  readonly stops: readonly string[];
  /** Special tokens that are part of the answer's syntax and must be written out. */
  readonly preservedTokens: ReadonlySet<number>;
  /** `null`: the text is the answer (completions). */
  readonly parser: AnswerParser | null;
  readonly withLogprobs: boolean;
}

const NOTHING: ParsedAnswer = { content: "", reasoning: "", toolCalls: [] };

/** Turns the samples of one answer into delta events. */
export class AnswerAssembler {
  readonly #options: AnswerAssemblerOptions;
  readonly #text: TextAssembler;
  #raw = "";
  #shown: ParsedAnswer = NOTHING;
  #logprobs: TokenLogprob[] = [];

  constructor(options: AnswerAssemblerOptions) {
    this.#options = options;
    this.#text = new TextAssembler(options.stops);
  }

  /** A stop string was completed. */
  get stopped(): boolean {
    return this.#text.stopped;
  }

  /** Which one, or `null`. */
  get stoppedBy(): string | null {
    return this.#text.stoppedBy;
  }

  get hasToolCalls(): boolean {
    return this.#shown.toolCalls.length > 0;
  }

  /** Adds one sample; returns what may be shown now, or `null` when that is nothing yet. */
  push(sample: Sample): DeltaEvent | null {
    if (sample.isEndOfGeneration) return null;
    const bytes = this.#bytesOf(sample.token);
    const text = this.#text.push(bytes);
    if (this.#options.withLogprobs && !this.#text.stopped) this.#logprobs.push(this.#logprobOf(sample, bytes));
    return this.#delta(text, true);
  }

  /** The answer has ended; returns what was held back. */
  finish(): DeltaEvent | null {
    return this.#delta(this.#text.finish(), false);
  }

  #delta(text: string, partial: boolean): DeltaEvent | null {
    this.#raw += text;
    const change = this.#change(text, partial);
    const logprobs = this.#logprobs;
    const empty = change.text === "" && change.reasoning === undefined && change.toolCalls === undefined;
    if (empty && (logprobs.length === 0 || partial)) return null;
    this.#logprobs = [];
    return { type: "delta", ...change, ...(logprobs.length > 0 && { logprobs }) };
  }

  #change(text: string, partial: boolean): Omit<DeltaEvent, "type" | "logprobs"> {
    const { parser } = this.#options;
    if (parser === null || (text === "" && partial)) return { text };
    const before = this.#shown;
    const now = this.#parse(parser, partial);
    this.#shown = now;
    const reasoning = growth(before.reasoning, now.reasoning);
    const toolCalls = toolCallDeltas(before, now);
    return {
      text: growth(before.content, now.content),
      ...(reasoning !== "" && { reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
    };
  }

  /**
   * A model may break the syntax its template promised. Until the end that only means waiting; at the end the text is
   * shown as it came, so that nothing is lost.
   */
  #parse(parser: AnswerParser, partial: boolean): ParsedAnswer {
    try {
      return parser(this.#raw, partial);
    } catch {
      return partial ? this.#shown : { ...this.#shown, content: this.#raw };
    }
  }

  #bytesOf(token: number): Uint8Array {
    return this.#options.tokenizer.decodeBytes([token], { renderSpecial: this.#options.preservedTokens.has(token) });
  }

  #logprobOf(sample: Sample, bytes: Uint8Array): TokenLogprob {
    return {
      ...describe(sample.token, bytes, sample.logprob ?? Number.NEGATIVE_INFINITY),
      top: sample.top.map(({ token, logprob }) => describe(token, this.#bytesOf(token), logprob)),
    };
  }
}

function describe(token: number, bytes: Uint8Array, logprob: number): Omit<TokenLogprob, "top"> {
  return { token, text: new TextDecoder().decode(bytes), bytes: [...bytes], logprob };
}

/** What was added; a parser that takes back what it showed (an unfinished tag, say) adds nothing until it passes it. */
function growth(before: string, now: string): string {
  return now.startsWith(before) ? now.slice(before.length) : "";
}

function toolCallDeltas(before: ParsedAnswer, now: ParsedAnswer): ToolCallDelta[] {
  return now.toolCalls.flatMap((call, index): ToolCallDelta[] => {
    const earlier = before.toolCalls[index];
    if (earlier === undefined) return [{ index, id: call.id, name: call.name, arguments: call.arguments }];
    const more = growth(earlier.arguments, call.arguments);
    return more === "" ? [] : [{ index, arguments: more }];
  });
}
