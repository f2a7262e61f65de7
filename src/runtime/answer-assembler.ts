import type { InferenceEvent, TokenLogprob } from "../core/inference.js";
import type { ParsedAnswer } from "../native/chat.js";
import type { Sample } from "../native/stage.js";
import type { Tokenizer } from "../native/tokenizer.js";
import { firstTrue } from "./first-true.js";
import { growth } from "./growth.js";
import { TextAssembler } from "./text-assembler.js";
import { ToolCallStream } from "./tool-call-stream.js";

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

/** A token's log-probability, and where in the text the token begins. */
interface PlacedLogprob {
  readonly start: number;
  readonly logprob: TokenLogprob;
}

/** Turns the samples of one answer into delta events. */
export class AnswerAssembler {
  readonly #options: AnswerAssemblerOptions;
  readonly #text: TextAssembler;
  readonly #toolCalls = new ToolCallStream();
  #raw = "";
  #parsed: ParsedAnswer = NOTHING;
  readonly #shown = { content: "", reasoning: "" };
  readonly #logprobs: PlacedLogprob[] = [];
  #tokens = 0;
  #reasoningTokens = 0;

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
    return this.#toolCalls.count > 0;
  }

  /** Tokens up to the last one that was part of the reasoning. */
  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  /** Log-probabilities of the last tokens, which are not told yet: a stop string may begin there. */
  get held(): readonly TokenLogprob[] {
    return this.#logprobs.map(({ logprob }) => logprob);
  }

  /**
   * Comes to where another assembler is after the same tokens, and has told the same; instead of the first `push`.
   *
   * @param held of the other one
   */
  resume(tokens: readonly number[], held: readonly TokenLogprob[]): void {
    const told = tokens.length - held.length;
    const ends = tokens.map((token, index) => {
      const start = this.#text.received;
      this.#raw += this.#text.push(this.#bytesOf(token));
      const logprob = held[index - told];
      if (logprob !== undefined) this.#logprobs.push({ start, logprob });
      return this.#raw.length;
    });
    this.#tokens = tokens.length;
    const { parser } = this.#options;
    if (parser !== null && this.#raw !== "") this.#resumeParsed(parser, ends);
  }

  /** Adds one sample; returns what may be shown now, or `null` when that is nothing yet. */
  push(sample: Sample): DeltaEvent | null {
    this.#tokens += 1;
    if (sample.isEndOfGeneration) return null;
    const bytes = this.#bytesOf(sample.token);
    const start = this.#text.received;
    const text = this.#text.push(bytes);
    if (this.#options.withLogprobs) this.#logprobs.push({ start, logprob: this.#logprobOf(sample, bytes) });
    return this.#delta(text, true);
  }

  /** The answer has ended; returns what was held back. */
  finish(): DeltaEvent | null {
    return this.#delta(this.#text.finish(), false);
  }

  #delta(text: string, partial: boolean): DeltaEvent | null {
    this.#raw += text;
    const change = this.#change(text, partial);
    const logprobs = this.#shownLogprobs(partial);
    const empty = change.text === "" && change.reasoning === undefined && change.toolCalls === undefined;
    if (empty && (logprobs.length === 0 || partial)) return null;
    this.#logprobs.splice(0, logprobs.length);
    return { type: "delta", ...change, ...(logprobs.length > 0 && { logprobs }) };
  }

  /**
   * What was parsed last tells what was shown, because parsers only add to what they find. Where they do not go on, they go
   * on no more, and the last that they found is what was shown.
   *
   * @param ends how long the text was after each token
   */
  #resumeParsed(parser: AnswerParser, ends: readonly number[]): void {
    const after = (tokens: number): ParsedAnswer | null => parsedOrNull(parser, this.#raw.slice(0, ends[tokens - 1]));
    const parsable = after(ends.length) === null ? firstTrue(ends.length, (at) => after(at + 1) === null) : ends.length;
    this.#parsed = (parsable === 0 ? null : after(parsable)) ?? NOTHING;
    const { content, reasoning, toolCalls } = this.#parsed;
    this.#shown.content = content;
    this.#shown.reasoning = reasoning;
    this.#toolCalls.push(toolCalls, true);
    if (reasoning === "") return;
    const whole = (tokens: number): boolean => (after(tokens)?.reasoning.length ?? 0) >= reasoning.length;
    this.#reasoningTokens = 1 + firstTrue(parsable, (at) => whole(at + 1));
  }

  /** Those of tokens that begin in text that was released: the others may belong to a stop string, or do. */
  #shownLogprobs(partial: boolean): TokenLogprob[] {
    const { released, stopped } = this.#text;
    const all = !partial && !stopped;
    return this.#logprobs.filter(({ start }) => all || start < released).map(({ logprob }) => logprob);
  }

  #change(text: string, partial: boolean): Omit<DeltaEvent, "type" | "logprobs"> {
    const { parser } = this.#options;
    if (parser === null || (text === "" && partial)) return { text };
    this.#parsed = this.#parse(parser, partial);
    const content = growth(this.#shown.content, this.#parsed.content);
    const reasoning = growth(this.#shown.reasoning, this.#parsed.reasoning);
    const toolCalls = this.#toolCalls.push(this.#parsed.toolCalls, partial);
    this.#shown.content += content;
    this.#shown.reasoning += reasoning;
    if (reasoning !== "") this.#reasoningTokens = this.#tokens;
    return {
      text: content,
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
      return partial ? this.#parsed : { ...this.#parsed, content: this.#raw };
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

function parsedOrNull(parser: AnswerParser, text: string): ParsedAnswer | null {
  if (text === "") return NOTHING;
  try {
    return parser(text, true);
  } catch {
    return null;
  }
}

function describe(token: number, bytes: Uint8Array, logprob: number): Omit<TokenLogprob, "top"> {
  return { token, text: new TextDecoder().decode(bytes), bytes: [...bytes], logprob };
}
