import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, describe, test } from "node:test";
import { Conversation } from "../../src/cli/chat/conversation.js";
import { chatInTerminal } from "../../src/cli/chat/interactive-chat.js";
import { NodeClient } from "../../src/cli/node-client/node-client.js";
import { type CapturedIo, capturedIo } from "../unit/cli-captured-io.js";
import { StubNode } from "./cli-stub-node.js";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

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

  function begin(): { io: CapturedIo; left: Promise<void> } {
    const io = capturedIo({ tty: true, env: { NO_COLOR: "1" } });
    const client = new NodeClient(new URL(stub.url), null);
    const conversation = new Conversation({
      ask: (request, signal) => client.chat(request, signal),
      model: "tinyllama",
      fields: {},
      system: null,
      now: io.now,
    });
    return { io, left: chatInTerminal({ conversation, io, stats: false, model: "tinyllama" }) };
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
    await shown(io, "Ctrl-D or /exit leaves");
    io.stdin.write("/nonsense\r");
    await shown(io, "There is no /nonsense");
    io.stdin.write("/help\r");
    await shown(io, "/clear");
    io.stdin.write("/exit\r");
    await left;
    assert.deepEqual(stub.asked, []);
  });
});

function messagesOf(request: unknown): readonly unknown[] {
  assert.ok(
    typeof request === "object" && request !== null && "messages" in request && Array.isArray(request.messages),
  );
  return request.messages.map((message: { content?: unknown }) => message.content);
}
