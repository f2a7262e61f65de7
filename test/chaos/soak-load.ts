import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ChaosNode } from "./chaos-node.js";
import { bodyOf, clientOf, type Question } from "./questions.js";
import type { Random } from "./random.js";
import { type Ground, referenceFor } from "./round.js";
import { followStream } from "./stream.js";

/** What one request came to: a word for the tally, and a sentence where something must not be. */
export interface Outcome {
  readonly result: string;
  readonly violation: string | null;
}

export interface Asking {
  readonly ground: Ground;
  readonly node: ChaosNode;
  readonly random: Random;
  readonly question: Question;
  /** The node was taken down by a fault just now. */
  readonly isVictim: () => boolean;
}

type Client = (asking: Asking) => Promise<Outcome>;

/** Milliseconds. */
const LIMIT = 120_000;
/** Tokens, more than the context. */
const TOO_LONG = 700;

const refusal = z.object({ error: z.object({ message: z.string(), code: z.string() }) });

/** Kinds of clients, each a way to ask. */
export const CLIENTS: Readonly<Record<string, Client>> = {
  /** Reads an answer to its end, which must be that of an undisturbed cluster. */
  stream: async ({ ground, node, question, isVictim }) => {
    const end = await followStream({
      question,
      reference: referenceFor(ground, question),
      model: ground.model,
      entry: node,
      entryIsVictim: isVictim,
      limitMs: LIMIT,
      onPiece: () => {},
    });
    const bad = end.kind === "wrong" || end.kind === "silent" || end.kind === "hung";
    return { result: end.kind, violation: bad ? `a stream at ${node.name} was ${end.kind}: ${end.detail}` : null };
  },
  completion: (asking) => post(asking, "/v1/completions", bodyOf(asking.question, asking.ground.model)),
  chat: (asking) => {
    const messages = [{ role: "user", content: "Tell me a story." }];
    return post(asking, "/v1/chat/completions", { model: asking.ground.model, messages, max_tokens: 60 });
  },
  embedding: (asking) => {
    return post(asking, "/v1/embeddings", { model: asking.ground.model, input: ["a", "two words"] });
  },
  "too long": (asking) => {
    const prompt = Array.from({ length: TOO_LONG }, () => asking.random.between(260, 349));
    return post(asking, "/v1/completions", { model: asking.ground.model, prompt, max_tokens: 4 });
  },
  /** Goes away in the middle. */
  cancelled: async ({ ground, node, question, random }) => {
    const abort = new AbortController();
    const most = random.between(1, 30);
    try {
      const stream = await clientOf(node.url).completions.create(
        { ...bodyOf(question, ground.model), stream: true },
        { signal: AbortSignal.any([abort.signal, AbortSignal.timeout(LIMIT)]) },
      );
      let pieces = 0;
      for await (const _ of stream) if (++pieces >= most) break;
    } catch {
      // It may fail before; what a client that goes away leaves behind is looked at in the end.
    }
    abort.abort();
    return { result: "gone", violation: null };
  },
  /** Takes its time with each piece, so that what it has not read must wait somewhere. */
  "slow reader": async (asking) => {
    const { ground, node, question } = asking;
    return answered(asking, async (signal) => {
      const response = await fetch(
        `${node.url}/v1/completions`,
        request({ ...bodyOf(question, ground.model), stream: true }, signal),
      );
      if (!response.ok) return response;
      const reader = response.body?.getReader();
      for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read())
        await delay(20, undefined, { signal });
      return response;
    });
  },
};

function post(asking: Asking, path: string, body: object): Promise<Outcome> {
  return answered(asking, (signal) => fetch(`${asking.node.url}${path}`, request(body, signal)));
}

function request(body: object, signal: AbortSignal): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal };
}

/** An answer is good when it is one, or says why it is none. */
async function answered({ node, isVictim }: Asking, ask: (signal: AbortSignal) => Promise<Response>): Promise<Outcome> {
  const signal = AbortSignal.timeout(LIMIT);
  try {
    const response = await ask(signal);
    if (response.ok) {
      if (!response.bodyUsed) await response.arrayBuffer();
      return { result: "answered", violation: null };
    }
    const { error } = refusal.parse(await response.json());
    // Every other code says what is the matter with the cluster or the request.
    const ownFault = error.code === "internal" ? `a request at ${node.name} met a fault: ${error.message}` : null;
    return { result: error.code, violation: ownFault };
  } catch (thrown) {
    if (signal.aborted) return { result: "hung", violation: `a request at ${node.name} hung` };
    const excused = isVictim();
    return { result: "cut", violation: excused ? null : `a request at ${node.name} failed: ${String(thrown)}` };
  }
}
