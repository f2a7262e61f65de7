import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AnswerPrinter, outcomeText } from "../../src/cli/chat/answer-printer.js";
import { Conversation } from "../../src/cli/chat/conversation.js";
import { type ChatPiece, readChatStream } from "../../src/cli/node-client/chat-stream.js";
import type { ChatRequest } from "../../src/cli/node-client/node-client.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { CapturedOutput } from "./cli-captured-io.js";

const TIMINGS = { cache_n: 2, prompt_n: 5, prompt_ms: 500, predicted_n: 3, predicted_per_second: 12.34 };

const STREAM = [
  ": keep-alive\n\n",
  event({ choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] }),
  event({ choices: [{ index: 0, delta: { reasoning_content: "hm" }, finish_reason: null }] }),
  event({ choices: [{ index: 0, delta: { content: "Grüße, " }, finish_reason: null }] }),
  event({ choices: [{ index: 0, delta: { content: "Paris 🗼" }, finish_reason: null }] }),
  event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], timings: TIMINGS }),
  event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } }),
  "data: [DONE]\n\n",
].join("");

const END: ChatPiece = {
  type: "end",
  finishReason: "stop",
  numbers: { promptTokens: 7, cachedTokens: 2, answerTokens: 3, prefillSeconds: 0.5, tokensPerSecond: 12.34 },
};
const PIECES: readonly ChatPiece[] = [
  { type: "reasoning", text: "hm" },
  { type: "text", text: "Grüße, " },
  { type: "text", text: "Paris 🗼" },
  END,
];

function event(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

async function read(text: string, cuts: readonly number[] = []): Promise<ChatPiece[]> {
  const bytes = new TextEncoder().encode(text);
  const edges = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const [index, edge] of edges.slice(1).entries()) controller.enqueue(bytes.subarray(edges[index], edge));
      controller.close();
    },
  });
  const pieces: ChatPiece[] = [];
  for await (const piece of readChatStream(body)) pieces.push(piece);
  return pieces;
}

describe("stream of an answer", () => {
  test("gives the pieces in order, wherever the network cuts the bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 5000 }), { maxLength: 12 }), async (cuts) => {
        assert.deepEqual(await read(STREAM, cuts), PIECES);
      }),
      { numRuns: 50 },
    );
  });

  test("an error event is thrown as what it says", async () => {
    const text = event({ error: { message: "A stage went away.", type: "server_error", code: "stage_lost" } });
    await assert.rejects(read(`${text}data: [DONE]\n\n`), { code: "stage_lost", message: "A stage went away." });
  });

  test("a stream that stops in the middle is no whole answer", async () => {
    await assert.rejects(read(STREAM.slice(0, STREAM.indexOf('finish_reason":"stop'))), /hung up/);
  });

  test("what is no chunk is refused", async () => {
    await assert.rejects(read("data: {]\n\n"), /not JSON/);
    await assert.rejects(read('data: {"choices": 7}\n\n'), /not a chat chunk/);
  });
});

/** Answers with these pieces and remembers what it was asked. */
class FakeNode {
  readonly requests: ChatRequest[] = [];
  pieces: readonly ChatPiece[] = [];
  failure: Error | null = null;

  readonly ask = async function* (this: FakeNode, request: ChatRequest): AsyncGenerator<ChatPiece> {
    this.requests.push(request);
    yield* this.pieces;
    if (this.failure !== null) throw this.failure;
  }.bind(this);

  conversation(system: string | null = null): Conversation {
    return new Conversation({ ask: this.ask, model: "m", fields: { temperature: 0 }, system, now: () => 0 });
  }
}

const never = new AbortController().signal;
const ignore = (): void => {};

describe("conversation", () => {
  test("each question carries the turns before it", async () => {
    const node = new FakeNode();
    node.pieces = [{ type: "text", text: "Hello." }, END];
    const conversation = node.conversation("Be brief.");
    await conversation.say("Hi", ignore, never);
    await conversation.say("And?", ignore, never);
    assert.deepEqual(node.requests[1], {
      temperature: 0,
      model: "m",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello." },
        { role: "user", content: "And?" },
      ],
    });
    conversation.clear();
    assert.deepEqual(conversation.messages, [{ role: "system", content: "Be brief." }]);
  });

  test("a question that failed is forgotten", async () => {
    const node = new FakeNode();
    node.failure = new Error("no");
    const conversation = node.conversation();
    await assert.rejects(conversation.say("Hi", ignore, never), /no/);
    assert.deepEqual(conversation.messages, []);
  });

  test("an answer that was stopped stays as far as it came", async () => {
    const node = new FakeNode();
    node.pieces = [{ type: "text", text: "Once upon" }];
    node.failure = new Error("aborted");
    const stopping = new AbortController();
    const conversation = node.conversation();
    const outcome = await conversation.say("Tell", () => stopping.abort(), stopping.signal);
    assert.equal(outcome.finishReason, "stopped");
    assert.deepEqual(conversation.messages.at(-1), { role: "assistant", content: "Once upon" });
  });
});

describe("the course of a conversation", () => {
  test("the last question is taken back, and asked again", async () => {
    const node = new FakeNode();
    node.pieces = [{ type: "text", text: "One." }, END];
    const conversation = node.conversation();
    await conversation.say("Hi", ignore, never);
    node.pieces = [{ type: "text", text: "Two." }, END];
    await conversation.sayAgain(ignore, never);
    assert.deepEqual(conversation.messages, [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Two." },
    ]);
    assert.equal(conversation.undo(), "Hi");
    assert.equal(conversation.undo(), null);
    assert.equal(conversation.exchanges, 0);
    await assert.rejects(conversation.sayAgain(ignore, never), /no question yet/);
  });

  test("when asking again brings nothing the old answer stays", async () => {
    const node = new FakeNode();
    node.pieces = [{ type: "text", text: "One." }, END];
    const conversation = node.conversation();
    await conversation.say("Hi", ignore, never);
    const before = conversation.messages;
    node.pieces = [];
    node.failure = new Error("no");
    await assert.rejects(conversation.sayAgain(ignore, never), /no/);
    assert.deepEqual(conversation.messages, before);
  });

  test("model, system prompt and fields hold from the next question on", async () => {
    const node = new FakeNode();
    node.pieces = [END];
    const conversation = node.conversation();
    conversation.model = "other";
    conversation.system = "Be brief.";
    conversation.fields = { seed: 7 };
    await conversation.say("Hi", ignore, never);
    assert.deepEqual(node.requests, [
      {
        seed: 7,
        model: "other",
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hi" },
        ],
      },
    ]);
  });
});

describe("printing an answer", () => {
  function printed(pieces: readonly ChatPiece[], tty: boolean): string {
    const output = new CapturedOutput(tty);
    const printer = new AnswerPrinter(output, plainPaint);
    for (const piece of pieces) printer.print(piece);
    printer.finish();
    return output.text;
  }

  test("ends with one line break, and begins with the first word", () => {
    const pieces: ChatPiece[] = [
      { type: "text", text: "\n\n" },
      { type: "text", text: " Paris" },
      { type: "text", text: ".\n" },
    ];
    assert.equal(printed(pieces, false), "Paris.\n");
  });

  test("thinking is for terminals only", () => {
    assert.equal(printed(PIECES, true), "hm\n\nGrüße, Paris 🗼\n");
    assert.equal(printed(PIECES, false), "Grüße, Paris 🗼\n");
  });

  test("the numbers", () => {
    const outcome = { text: "x", finishReason: "stop", numbers: END.numbers, firstPieceSeconds: 0.416 };
    assert.equal(outcomeText(outcome), "3 tokens at 12.3 tokens/s, the first after 0.42 s");
    assert.match(outcomeText({ ...outcome, finishReason: "length" }) ?? "", /cut off at the limit$/);
    assert.equal(outcomeText({ ...outcome, numbers: null }), null);
  });
});
