import assert from "node:assert/strict";
import { createConnection } from "node:net";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { assertSameAnswer, type Completion, complete, post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { busySlots, residentBytes } from "../support/ring-load.js";

const model = sharedModel("stories260K-f16.gguf") ?? tinyModel();
const CONTEXT = 256;
const MIB = 1024 * 1024;

const words = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 260 + ((index * 7 + seed * 13 + ((index * index * seed) % 11)) % 90));

const errorSchema = z.object({ error: z.object({ message: z.string(), code: z.string() }) });

describe("a ring of two under load", () => {
  let head: NodeProcess;
  let worker: NodeProcess;

  before(async () => {
    const args = ["--ctx", String(CONTEXT), "--slots", "3", "--queue", "10", "--ubatch", "64"];
    const [first, second] = await startRing(2, model, args);
    assert.ok(first !== undefined && second !== undefined);
    [head, worker] = [first, second];
  });
  after(async () => {
    assert.equal(await head.stop(), 0);
    assert.equal(await worker.stop(), 0);
  });

  test("200 requests at once: as many as have room are answered right, the others are told when to come again", async () => {
    const body = (index: number) => ({ prompt: words(index % 7, 30), max_tokens: 8, temperature: 0, logprobs: 5 });
    const expected: Completion[] = [];
    for (let index = 0; index < 7; index += 1) expected.push(await complete(head, body(index)));
    const before = await residentBytes(head);
    let answered = 0;
    for (let burst = 0; burst < 3; burst += 1) {
      const all = Array.from({ length: 200 }, async (_, index) => {
        const response = await post(index % 2 === 0 ? head : worker, "/v1/completions", body(index));
        const answer: unknown = await response.json();
        if (response.status === 200) {
          const { choices } = z.object({ choices: z.array(z.object({ text: z.string() })) }).parse(answer);
          return { index, text: choices[0]?.text };
        }
        assert.equal(response.status, 429, JSON.stringify(answer));
        assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
        assert.match(
          errorSchema.parse(answer).error.message,
          /All 3 slots are taken, and as many requests wait already as may/,
        );
        return null;
      });
      const answers = (await Promise.all(all)).filter((answer) => answer !== null);
      answered += answers.length;
      assert.ok(answers.length >= 13, `${answers.length} were answered`);
      assert.ok(answers.length < 200, "some were refused");
      const right = answers.filter(({ index, text }) => text === expected[index % 7]?.text);
      assert.ok(right.length >= 0.9 * answers.length, `${right.length} of ${answers.length} as alone`);
    }
    assert.ok(answered > 0);
    const now = await residentBytes(head);
    if (before !== null && now !== null) assert.ok(now - before < 200 * MIB, `${(now - before) / MIB} MiB more`);
    await eventually(async () => assert.equal(await busySlots(head), 0));
  });

  test("a prompt of one token less than the context gets one token; of exactly it, or one more, a 400 with both numbers", async () => {
    const longest = await complete(worker, { prompt: words(1, CONTEXT - 1), temperature: 0 });
    assert.deepEqual([longest.completionTokens, longest.finishReason], [1, "length"]);
    for (const length of [CONTEXT, CONTEXT + 1]) {
      const response = await post(worker, "/v1/completions", { prompt: words(1, length) });
      assert.equal(response.status, 400);
      const { message } = errorSchema.parse(await response.json()).error;
      assert.match(message, new RegExp(`${length} tokens.* ${CONTEXT} `));
    }
    const next = await complete(head, { prompt: words(1, CONTEXT - 3), temperature: 0, ignore_eos: true });
    assert.deepEqual([next.completionTokens, next.finishReason], [3, "length"], "the next in the slot has its room");
  });

  test("a request that is over its time limit in the queue is told so; one that has begun ends with what it has", async () => {
    const long = { max_tokens: 200, temperature: 1, ignore_eos: true };
    const busy = [1, 2, 3].map((seed) => complete(head, { ...long, prompt: words(seed, 20) }));
    const response = await post(head, "/v1/completions", { prompt: words(4, 5), timeout: 0.001 });
    assert.equal(response.status, 504);
    const { error } = errorSchema.parse(await response.json());
    assert.equal(error.code, "deadline_exceeded");
    assert.match(error.message, /0\.001 s at most/);
    await Promise.all(busy);
    const cut = await complete(head, { ...long, prompt: words(5, 200), timeout: 86_400 });
    assert.equal(cut.finishReason, "length");
  });

  /** Streams from a node that is not the head, and hangs up at the `count`-th event. */
  async function hangUpAt(count: number, body: object): Promise<void> {
    const abort = new AbortController();
    const response = post(worker, "/v1/completions", { ...body, stream: true }, abort.signal);
    if (count === 0) {
      abort.abort();
      await response.catch(() => {});
      return;
    }
    const reader = (await response).body?.getReader();
    let events = 0;
    while (events < count) {
      const piece = await reader?.read();
      if (piece?.value === undefined) break;
      events += Buffer.from(piece.value).toString().split("data: ").length - 1;
    }
    abort.abort();
  }

  test("a client of another node that hangs up, whenever it does, leaves nothing behind and harms nobody", async () => {
    const probe = { prompt: words(9, 100), max_tokens: 20, temperature: 0, cache_prompt: false };
    const alone = await complete(head, probe);
    const answer = { prompt: words(6, 150), max_tokens: 10, temperature: 1, ignore_eos: true };
    const beside = complete(head, probe);
    const phases = {
      prefilling: hangUpAt(0, answer),
      "at the first token": hangUpAt(1, answer),
      decoding: hangUpAt(4, answer),
      "at the last token": hangUpAt(10, answer),
      queued: Promise.all([1, 2, 3, 4].map(() => hangUpAt(0, answer))),
    };
    await Promise.all(Object.values(phases));
    assertSameAnswer(await beside, alone, "the one beside them");
    await eventually(async () => assert.equal(await busySlots(head), 0));
    assertSameAnswer(await complete(worker, probe), alone, "one that comes after them");
  });
});

describe("a ring of two that shifts a full context", () => {
  const CONTEXT = 64;
  let ring: NodeProcess[] = [];
  let single: NodeProcess;

  before(async () => {
    const args = ["--ctx", String(CONTEXT), "--slots", "2", "--context-full", "shift"];
    ring = await startRing(2, model, args);
    const [first] = await startRing(1, model, args);
    assert.ok(first !== undefined);
    single = first;
  });
  after(async () => {
    await Promise.all([...ring, single].map((node) => node.stop()));
  });

  test("goes on past it as one node alone does, again and again", async () => {
    const [head] = ring;
    assert.ok(head !== undefined);
    const body = { prompt: words(3, 20), max_tokens: 300, temperature: 0, ignore_eos: true, cache_prompt: false };
    const alone = await complete(single, body);
    assert.deepEqual([alone.completionTokens, alone.finishReason], [300, "length"]);
    for (let round = 0; round < 2; round += 1) {
      const answer = await complete(head, body);
      assert.deepEqual([answer.completionTokens, answer.finishReason], [300, "length"]);
      const compared = assertSameAnswer(answer, alone, "shifted");
      assert.ok(compared > 2 * CONTEXT, `${compared} tokens compared`);
    }
    const short = await complete(head, { ...body, max_tokens: 10, cache_prompt: true });
    assert.equal(short.cachedTokens, 0, "what is left of a shifted answer is not reused");
  });

  test("without max_tokens an answer ends after a context's worth of tokens", async () => {
    const [head] = ring;
    assert.ok(head !== undefined);
    const answer = await complete(head, { prompt: words(3, 20), ignore_eos: true });
    assert.deepEqual([answer.completionTokens, answer.finishReason], [CONTEXT, "length"]);
  });

  test("a client that reads nothing stops its own answer only, and its slot is free when it leaves", async () => {
    const [head] = ring;
    assert.ok(head !== undefined);
    const { hostname, port } = new URL(head.http);
    const body = JSON.stringify({
      prompt: words(5, 10),
      // Far more than the buffers of a connection hold, and no more than the reader beside it asks for.
      max_tokens: 16 * CONTEXT,
      logprobs: 20,
      stream: true,
      ignore_eos: true,
      grammar: "root ::= [a-z]*",
    });
    const silent = createConnection({ host: hostname, port: Number(port) });
    silent.on("error", () => {});
    silent.pause();
    silent.write(
      `POST /v1/completions HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await eventually(async () => assert.equal(await busySlots(head), 1));
    const beside = await complete(head, { prompt: words(6, 10), max_tokens: 16 * CONTEXT, ignore_eos: true });
    assert.equal(beside.completionTokens, 16 * CONTEXT);
    silent.destroy();
    await eventually(async () => assert.equal(await busySlots(head), 0));
  });
});
