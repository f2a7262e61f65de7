import { setMaxListeners } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

export interface ClientLoad {
  readonly url: URL;
  /** One client has each of them. */
  readonly keys: readonly string[];
  /** Answers that each client wants, one after the other. */
  readonly answers: number;
  /** Of further clients that want as many answers at once as they can get, until the others have theirs. */
  readonly greedyKeys: readonly string[];
  /** Requests that such a one has under way. */
  readonly greedyRequests: number;
  readonly maxTokens: number;
}

export interface ClientOutcome {
  /** Milliseconds from the first try to the first piece of each answer, refusals and their waits included. */
  readonly waits: number[];
  answered: number;
  /** Refusals that said when to come again, and those that did not. */
  refused: number;
  withoutRetryAfter: number;
  /** Answers that began and were ended by an error event. */
  ended: number;
  /** Anything else, in words. */
  readonly faults: string[];
}

export interface LoadOutcome {
  readonly clients: readonly ClientOutcome[];
  readonly greedy: readonly ClientOutcome[];
  readonly seconds: number;
}

/** Sends what the clients want to ask, until each of them has had its answers. */
export async function runClients(load: ClientLoad): Promise<LoadOutcome> {
  const begun = performance.now();
  const over = new AbortController();
  // Each request under way listens, and so does each wait.
  setMaxListeners(0, over.signal);
  const greedy = load.greedyKeys.map(newOutcome);
  const running = greedy.flatMap((outcome, index) =>
    Array.from({ length: load.greedyRequests }, () =>
      client(load, load.greedyKeys[index] ?? "", outcome, Number.POSITIVE_INFINITY, over.signal),
    ),
  );
  const clients = load.keys.map(newOutcome);
  const never = new AbortController().signal;
  setMaxListeners(0, never);
  await Promise.all(
    clients.map((outcome, index) => client(load, load.keys[index] ?? "", outcome, load.answers, never)),
  );
  const seconds = (performance.now() - begun) / 1000;
  over.abort();
  await Promise.all(running);
  return { clients, greedy, seconds };
}

function newOutcome(): ClientOutcome {
  return { waits: [], answered: 0, refused: 0, withoutRetryAfter: 0, ended: 0, faults: [] };
}

async function client(
  load: ClientLoad,
  key: string,
  outcome: ClientOutcome,
  answers: number,
  over: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let count = 0; count < answers && !over.aborted; ) {
      const asked = performance.now();
      const had = await oneAnswer(load, key, agent, outcome, over, asked);
      if (had || outcome.faults.length > 10) count += 1;
    }
  } finally {
    agent.destroy();
  }
}

/** Tries until there is an answer; `false` when it broke off, or nobody wants it any more. */
async function oneAnswer(
  load: ClientLoad,
  key: string,
  agent: Agent,
  outcome: ClientOutcome,
  over: AbortSignal,
  asked: number,
): Promise<boolean> {
  while (!over.aborted) {
    const response = await ask(load, key, agent).catch((thrown: unknown) => {
      outcome.faults.push(String(thrown));
      return null;
    });
    if (response === null) return false;
    if (response.statusCode === 429) {
      response.resume();
      const seconds = Number(response.headers["retry-after"] ?? Number.NaN);
      outcome.refused += 1;
      if (!(seconds > 0)) outcome.withoutRetryAfter += 1;
      await delay((seconds > 0 ? seconds : 1) * 1000 * (0.5 + Math.random()), undefined, { signal: over }).catch(
        () => {},
      );
      continue;
    }
    return readAnswer(response, outcome, asked);
  }
  return false;
}

function ask(load: ClientLoad, key: string, agent: Agent): Promise<IncomingMessage> {
  const { url, maxTokens } = load;
  const body = JSON.stringify({ prompt: "Once upon a time", max_tokens: maxTokens, ignore_eos: true, stream: true });
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
  return new Promise((resolve, reject) => {
    const sent = request(new URL("/v1/completions", url), { method: "POST", agent, headers }, resolve);
    // A connection that the server closed, for nothing came for a while, just as it was used again.
    sent.on("error", (error) => (sent.reusedSocket ? resolve(ask(load, key, agent)) : reject(error)));
    sent.end(body);
  });
}

async function readAnswer(response: IncomingMessage, outcome: ClientOutcome, asked: number): Promise<boolean> {
  let text = "";
  let firstAt = Number.NaN;
  for await (const chunk of response.setEncoding("utf8")) {
    text += String(chunk);
    if (Number.isNaN(firstAt) && text.includes("data: ")) firstAt = performance.now();
  }
  if (response.statusCode !== 200) {
    outcome.faults.push(`status ${response.statusCode}: ${text.slice(0, 200)}`);
    return false;
  }
  if (!text.endsWith("data: [DONE]\n\n")) {
    outcome.faults.push(`a stream without its end: …${text.slice(-200)}`);
    return false;
  }
  if (text.includes('"error":{')) {
    outcome.ended += 1;
    return false;
  }
  outcome.waits.push(firstAt - asked);
  outcome.answered += 1;
  return true;
}
