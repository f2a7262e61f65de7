import { APIError } from "openai";
import { type Answer, compareAnswers, GrowingAnswer } from "./answer.js";
import { bodyOf, clientOf, type Question } from "./questions.js";

/**
 * How a stream ended. Honest: whole, tipped (whole, but last bits decided a close choice otherwise), refused (before its first word), error (an error event, then [DONE]), cut (its entry node
 * was the victim). Not: wrong (other text), silent (no end was told), hung.
 */
export type StreamKind = "whole" | "tipped" | "refused" | "error" | "cut" | "wrong" | "silent" | "hung";

export interface StreamEnd {
  readonly kind: StreamKind;
  readonly question: number;
  readonly entry: string;
  /** For people; empty where all is well. */
  readonly detail: string;
  /** Milliseconds between two pieces, at most: what a fault costs a stream that goes on. */
  readonly longestGapMs: number;
}

export interface StreamOptions {
  readonly question: Question;
  readonly reference: Answer;
  readonly model: string;
  readonly entry: { readonly name: string; readonly url: string };
  /** Whether the entry node was taken down by the fault. */
  readonly entryIsVictim: () => boolean;
  readonly limitMs: number;
  readonly onPiece: () => void;
}

const DONE = /data: \[DONE\]\s*$/;

/** Follows one answer to its end through the official client, and judges it. */
export async function followStream(options: StreamOptions): Promise<StreamEnd> {
  const { question, entry, reference, limitMs } = options;
  const raw = new RawBody();
  const limit = AbortSignal.timeout(limitMs);
  const seen = { answer: new GrowingAnswer(), finished: false, gap: 0, last: performance.now() };
  let thrown: unknown = null;
  try {
    await read(options, raw, limit, seen);
  } catch (failure) {
    thrown = failure;
  }
  if (!limit.aborted) await raw.ended;
  const judge = (kind: StreamKind, detail = ""): StreamEnd => {
    return { kind, question: question.id, entry: entry.name, detail, longestGapMs: Math.round(seen.gap) };
  };
  if (limit.aborted)
    return judge("hung", `nothing told of an end within ${limitMs} ms, after ${seen.answer.text.length} characters`);
  const { result, detail } = compareAnswers(seen.answer, reference);
  if (result === "other") return judge("wrong", detail);
  if (thrown === null && seen.finished) {
    if (!DONE.test(raw.tail)) return judge("silent", "no [DONE]");
    if (result === "tipped") return judge("tipped", detail);
    const missing = reference.text.length - seen.answer.text.length;
    return missing === 0 ? judge("whole") : judge("wrong", `${missing} characters are missing at its end`);
  }
  const why = thrown instanceof Error ? thrown.message : "the stream ended without finish_reason and without error";
  if (thrown instanceof APIError && thrown.status !== undefined) return judge("refused", `${thrown.status} ${why}`);
  if (thrown instanceof APIError && DONE.test(raw.tail)) return judge("error", why);
  return judge(options.entryIsVictim() ? "cut" : "silent", why);
}

type Seen = { readonly answer: GrowingAnswer; finished: boolean; gap: number; last: number };

async function read({ question, model, entry, onPiece }: StreamOptions, raw: RawBody, signal: AbortSignal, seen: Seen) {
  const client = clientOf(entry.url, raw.fetch);
  const stream = await client.completions.create({ ...bodyOf(question, model), stream: true }, { signal });
  for await (const { choices } of stream) {
    const [choice] = choices;
    if (choice !== undefined) seen.answer.add(choice);
    // The client's types say that it is always there; while the answer goes on it is null.
    seen.finished ||= typeof choice?.finish_reason === "string";
    seen.gap = Math.max(seen.gap, performance.now() - seen.last);
    seen.last = performance.now();
    onPiece();
  }
}

const TAIL = 64;

/** The end of what really came, which the client does not show. */
class RawBody {
  tail = "";
  ended: Promise<void> = Promise.resolve();

  readonly fetch: typeof fetch = async (url, init) => {
    const response = await fetch(url, init);
    if (response.body === null) return response;
    const [forClient, own] = response.body.tee();
    this.ended = this.#follow(own);
    const { status, statusText, headers } = response;
    return new Response(forClient, { status, statusText, headers });
  };

  async #follow(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of body) this.tail = (this.tail + decoder.decode(chunk, { stream: true })).slice(-TAIL);
    } catch {
      // The connection broke, which the client has been told, too.
    }
  }
}
