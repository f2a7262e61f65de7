import { APIError } from "openai";
import { bodyOf, clientOf, type Question } from "./questions.js";

/**
 * How a stream ended. Honest: whole, refused (before its first word), error (an error event, then [DONE]), cut (its entry node
 * was the victim). Not: wrong (other text), silent (no end was told), hung.
 */
export type StreamKind = "whole" | "refused" | "error" | "cut" | "wrong" | "silent" | "hung";

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
  readonly reference: string;
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
  const seen = { text: "", finished: false, gap: 0, last: performance.now() };
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
    return judge("hung", `nothing told of an end within ${limitMs} ms, after ${seen.text.length} characters`);
  if (!reference.startsWith(seen.text)) return judge("wrong", difference(seen.text, reference));
  if (thrown === null && seen.finished) {
    if (seen.text !== reference) return judge("wrong", difference(seen.text, reference));
    return DONE.test(raw.tail) ? judge("whole") : judge("silent", "no [DONE]");
  }
  const why = thrown instanceof Error ? thrown.message : "the stream ended without finish_reason and without error";
  if (thrown instanceof APIError && thrown.status !== undefined) return judge("refused", `${thrown.status} ${why}`);
  if (thrown instanceof APIError && DONE.test(raw.tail)) return judge("error", why);
  return judge(options.entryIsVictim() ? "cut" : "silent", why);
}

type Seen = { text: string; finished: boolean; gap: number; last: number };

async function read({ question, model, entry, onPiece }: StreamOptions, raw: RawBody, signal: AbortSignal, seen: Seen) {
  const client = clientOf(entry.url, raw.fetch);
  const stream = await client.completions.create({ ...bodyOf(question, model), stream: true }, { signal });
  for await (const { choices } of stream) {
    const [choice] = choices;
    seen.text += choice?.text ?? "";
    // The client's types say that it is always there; while the answer goes on it is null.
    seen.finished ||= typeof choice?.finish_reason === "string";
    seen.gap = Math.max(seen.gap, performance.now() - seen.last);
    seen.last = performance.now();
    onPiece();
  }
}

function difference(text: string, reference: string): string {
  let at = 0;
  while (at < text.length && text[at] === reference[at]) at += 1;
  const part = (whole: string): string => JSON.stringify(whole.slice(at, at + 20));
  return `from character ${at} on ${part(text)} instead of ${part(reference)} (${text.length} of ${reference.length})`;
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
