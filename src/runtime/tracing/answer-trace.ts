import type { Clock } from "../../core/ports.js";
import type { Span, SpanValue } from "../../core/trace.js";
import { passSpans } from "./pass-spans.js";
import { LEG_NUMBERS, type Pass, PassGroups } from "./passes.js";
import type { SpanSource, TraceRecord } from "./trace-record.js";

/** The ring that answers. */
export interface TracedRing {
  readonly id: string;
  readonly model: string;
  /** Ids of its nodes, the head first. */
  readonly nodes: readonly string[];
}

const NUMBER_BYTES = 8;
/** What a group of micro-batches takes beside the numbers of its way. */
const GROUP_BYTES = 300;
const MOST_NAME_CHARACTERS = 128;

/** What the head records of one answer: spans of its own, and the micro-batches that worked on it. */
export class AnswerTrace implements SpanSource {
  readonly #record: TraceRecord;
  readonly #ring: TracedRing;
  readonly #clock: Clock;
  readonly #attributes: Readonly<Record<string, SpanValue>>;
  readonly #begun: number;
  readonly #prefill = new PassGroups();
  readonly #decode = new PassGroups();
  readonly #detokenized = { begun: 0, milliseconds: 0, tokens: 0 };

  /** @param answer id of the inference request: one HTTP request may ask for several */
  constructor(record: TraceRecord, ring: TracedRing, answer: string, clock: Clock) {
    this.#record = record;
    this.#ring = ring;
    this.#clock = clock;
    this.#attributes = { answer: answer.slice(0, MOST_NAME_CHARACTERS) };
    this.#begun = clock.monotonic();
    record.add(this);
  }

  timed<Result>(name: string, work: () => Result): Result {
    const begin = this.#clock.monotonic();
    try {
      return work();
    } finally {
      this.#span(name, begin, this.#clock.monotonic());
    }
  }

  /** It waited for a slot from then until now. */
  queued(since: number, cachedTokens: number): void {
    this.#span("queue", since, this.#clock.monotonic(), { cached_tokens: cachedTokens });
  }

  landed(pass: Pass): void {
    (pass.kind === "prefill" ? this.#prefill : this.#decode).add(pass);
  }

  /** Turning one token into text began then. */
  detokenized(begun: number): void {
    const sum = this.#detokenized;
    if (sum.tokens === 0) sum.begun = begun;
    sum.milliseconds += this.#clock.monotonic() - begun;
    sum.tokens += 1;
  }

  /** @param outcome a finish reason, or an error's code */
  ended(outcome: string, attributes: Readonly<Record<string, SpanValue>>): void {
    const { begun, milliseconds, tokens } = this.#detokenized;
    // Done in between, token by token: drawn in one piece.
    if (tokens > 0) this.#span("detokenize", begun, begun + milliseconds, { tokens, seconds: milliseconds / 1000 });
    const { id, model } = this.#ring;
    this.#span("head", this.#begun, this.#clock.monotonic(), { model, ring: id, outcome, ...attributes });
  }

  get bytes(): number {
    return [...this.#prefill.groups, ...this.#decode.groups].reduce(
      (sum, { legs, hops }) => sum + GROUP_BYTES + NUMBER_BYTES * (legs.length + hops.length),
      LEG_NUMBERS * NUMBER_BYTES,
    );
  }

  spans(toSeconds: (milliseconds: number) => number): readonly Span[] {
    const place = { nodes: this.#ring.nodes, toSeconds, attributes: this.#attributes };
    return [
      ...this.#prefill.groups.flatMap((group) => passSpans("prefill", group, place)),
      ...this.#decode.groups.flatMap((group) => passSpans("decode", group, place)),
    ];
  }

  #span(name: string, begin: number, end: number, attributes: Readonly<Record<string, SpanValue>> = {}): void {
    this.#record.span(name, begin, end, { stage: 0, attributes: { ...this.#attributes, ...attributes } });
  }
}
