import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, describe, test } from "node:test";
import { ChatHistory } from "../../src/cli/chat/chat-history.js";
import { Conversation } from "../../src/cli/chat/conversation.js";
import { chatInTerminal } from "../../src/cli/chat/interactive-chat.js";
import { NodeClient } from "../../src/cli/node-client/node-client.js";
import { type CapturedIo, capturedIo } from "../unit/cli-captured-io.js";
import { StubNode } from "./cli-stub-node.js";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const UP = "\u001b[A";

describe("chat in a terminal", () => {
  let stub: StubNode;
  before(async () => {
    stub = await StubNode.start();
  });
  beforeEach(() => {
    stub.answer = ["The capital ", "is Paris."];
    stub.asked.length = 0;
  });
  after(() => stub.stop());

  function begin(options: { history?: ChatHistory; stats?: boolean } = {}): {
    io: CapturedIo;
    left: Promise<void>;
    stop: AbortController;
  } {
    const { history = ChatHistory.inMemory(), stats = false } = options;
    const stop = new AbortController();
    const io = capturedIo({ tty: true, env: { NO_COLOR: "1" } });
    const client = new NodeClient(new URL(stub.url), null);
    const conversation = new Conversation({
      ask: (request, signal) => client.chat(request, signal),
      model: "tinyllama",
      fields: {},
      system: null,
      now: io.now,
    });
    const models = () => client.models();
    const left = chatInTerminal({ conversation, io, stats, history, models, signal: stop.signal });
    return { io, left, stop };
  }

  /** Waits until the terminal shows this text after what it showed before. */
  async function shown(io: CapturedIo, wanted: string): Promise<void> {
    while (!io.stdout.text.includes(wanted)) await once(io.stdout, "shown");
    io.stdout.text = io.stdout.text.slice(io.stdout.text.indexOf(wanted) + wanted.length);
  }

  test("answers, remembers, forgets on /clear, and leaves by Ctrl-D", async () => {
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write("Capital\\\rof France?\r");
    await shown(io, "The capital is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write("And?\r");
    await shown(io, "is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write("/clear\r");
    await shown(io, "forgotten");
    await shown(io, ">>> ");
    io.stdin.write("Again\r");
    await shown(io, "is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write(CTRL_D);
    await left;
    const contents = stub.asked.map((request) => messagesOf(request));
    const answer = "The capital is Paris.";
    assert.deepEqual(contents, [["Capital\nof France?"], ["Capital\nof France?", answer, "And?"], ["Again"]]);
  });

  test("Ctrl-C stops the answer only, and hangs up", async () => {
    stub.answer = null;
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write("Tell a story\r");
    await shown(io, "Once ");
    io.stdin.write(CTRL_C);
    await shown(io, "(stopped)");
    await shown(io, ">>> ");
    stub.answer = ["Yes."];
    io.stdin.write("Still there?\r");
    await shown(io, "Yes.");
    await shown(io, ">>> ");
    io.stdin.write("/exit\r");
    await left;
    assert.equal(stub.hungUp, 1);
    assert.deepEqual(messagesOf(stub.asked[1]), ["Tell a story", "Once ", "Still there?"]);
  });

  test("Ctrl-C at the prompt drops what is typed and says how to leave", async () => {
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write("half a quest");
    await shown(io, "quest");
    io.stdin.write(CTRL_C);
    await shown(io, "^C");
    await shown(io, ">>> ");
    io.stdin.write(CTRL_C);
    await shown(io, "Ctrl-C again, Ctrl-D or /exit leaves");
    io.stdin.write("/nonsense\r");
    await shown(io, "There is no /nonsense");
    io.stdin.write("/help\r");
    await shown(io, "/clear");
    io.stdin.write("/exit\r");
    await left;
    assert.deepEqual(stub.asked, []);
  });

  test("Ctrl-C at an empty prompt, pressed again, leaves; typing in between keeps the chat", async () => {
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write(CTRL_C);
    await shown(io, "Ctrl-C again");
    io.stdin.write("/stats\r");
    await shown(io, "questions");
    await shown(io, ">>> ");
    io.stdin.write(CTRL_C);
    await shown(io, "Ctrl-C again");
    io.stdin.write(CTRL_C);
    await left;
  });

  test("what is pasted is one entry, and comes back from the history as such", async () => {
    const history = ChatHistory.inMemory();
    const { io, left } = begin({ history });
    await shown(io, ">>> ");
    io.stdin.write(`Explain:\u001b[200~if x:\r\n\treturn 1\r\n\u001b[201~`);
    await shown(io, "return 1↵");
    assert.deepEqual(stub.asked, []);
    io.stdin.write("\r");
    await shown(io, "is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write(UP);
    await shown(io, "Explain:if x:");
    io.stdin.write("\r");
    await shown(io, "is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write(CTRL_D);
    await left;
    const question = "Explain:if x:\n\treturn 1";
    assert.deepEqual(stub.asked.map(messagesOf), [[question], [question, "The capital is Paris.", question]]);
    assert.deepEqual(history.entries, [`${question}\n`]);
  });

  test("a block of several lines is one entry, also in the history of the next chat", async () => {
    const history = ChatHistory.inMemory();
    const first = begin({ history });
    await shown(first.io, ">>> ");
    first.io.stdin.write('"""\rone\r');
    await shown(first.io, "... ");
    first.io.stdin.write('/two"""\r');
    await shown(first.io, "is Paris.\n");
    first.io.stdin.write("/exit\r");
    await first.left;
    const second = begin({ history });
    await shown(second.io, ">>> ");
    // Past /exit.
    second.io.stdin.write(UP + UP);
    await shown(second.io, "one↵/two");
    second.io.stdin.write("\r");
    await shown(second.io, "is Paris.\n");
    second.io.stdin.write(CTRL_D);
    await second.left;
    assert.deepEqual(stub.asked.map(messagesOf), [["one\n/two"], ["one\n/two"]]);
  });

  test("Tab completes commands; /regenerate asks the same again; numbers stand below answers", async () => {
    const { io, left } = begin({ stats: true });
    await shown(io, ">>> ");
    io.stdin.write("Capital?\r");
    await shown(io, "(2 tokens at 10.0 tokens/s");
    await shown(io, ">>> ");
    io.stdin.write("/reg");
    await shown(io, "/reg");
    io.stdin.write("\t");
    await shown(io, "enerate");
    io.stdin.write("\r");
    await shown(io, "is Paris.\n");
    await shown(io, ">>> ");
    io.stdin.write("/set temperature 0\r");
    await shown(io, "temperature is 0");
    io.stdin.write("/regenerate\r");
    await shown(io, "is Paris.\n");
    io.stdin.write(CTRL_D);
    await left;
    assert.deepEqual(stub.asked.map(messagesOf), [["Capital?"], ["Capital?"], ["Capital?"]]);
    assert.deepEqual(stub.asked.map(temperatureOf), [undefined, undefined, 0]);
  });

  test("what is typed while an answer is written is asked next, and shown then", async () => {
    stub.answer = null;
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write("Tell a story\r");
    await shown(io, "Once ");
    io.stdin.write("And then?\r");
    stub.answer = ["Nothing."];
    io.stdin.write(CTRL_C);
    await shown(io, "(stopped)\n");
    await shown(io, ">>> And then?\nNothing.\n");
    await shown(io, ">>> ");
    io.stdin.write(CTRL_D);
    await left;
  });

  test("a failure is a sentence, and the chat goes on", async () => {
    const { io, left } = begin();
    await shown(io, ">>> ");
    io.stdin.write("/load nonesuch.json\r");
    await shown(io, ">>> ");
    assert.match(io.stderr.text, /^error: There is no chat to be read at .*nonesuch\.json: ENOENT/);
    io.stdin.write("/model gemma\r");
    await shown(io, ">>> ");
    assert.match(io.stderr.text, /error: "gemma" is none of tinyllama\.\n$/);
    io.stdin.write(CTRL_D);
    await left;
  });

  test("told to end in the middle of an answer, it hangs up and leaves", async () => {
    stub.answer = null;
    const before = stub.hungUp;
    const { io, left, stop } = begin();
    await shown(io, ">>> ");
    io.stdin.write("Tell a story\r");
    await shown(io, "Once ");
    stop.abort();
    await left;
    while (stub.hungUp === before) await new Promise((resolve) => setImmediate(resolve));
  });
});

function messagesOf(request: unknown): readonly unknown[] {
  assert.ok(
    typeof request === "object" && request !== null && "messages" in request && Array.isArray(request.messages),
  );
  return request.messages.map((message: { content?: unknown }) => message.content);
}

function temperatureOf(request: unknown): unknown {
  return typeof request === "object" && request !== null && "temperature" in request ? request.temperature : undefined;
}
