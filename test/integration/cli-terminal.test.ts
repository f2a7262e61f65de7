import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { packageRoot } from "../../src/core/package.js";
import { noPty, Pty, type PtyOptions } from "../support/pty.js";
import { StubNode } from "./cli-stub-node.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const TIMEOUT = { timeout: 60_000 };

describe("on a terminal", { skip: noPty }, () => {
  let home = "";
  let stub: StubNode;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-pty-"));
    stub = await StubNode.start();
  });
  beforeEach(() => {
    stub.answer = ["The capital ", "is Paris."];
    stub.asked.length = 0;
  });
  after(async () => {
    await stub.stop();
    await rm(home, { recursive: true });
  });

  function exo(args: readonly string[], options: Partial<PtyOptions> = {}): Pty {
    const { env: more = {}, ...size } = options;
    const env = {
      PATH: process.env.PATH,
      TERM: "xterm-256color",
      EXO_NATIVE_HOME: home,
      EXO_NATIVE_URL: stub.url,
      ...more,
    };
    return Pty.start([process.execPath, MAIN, ...args], { env, ...size });
  }

  test("run chats, pastes several lines at once, remembers them, and gives the terminal back", TIMEOUT, async () => {
    const chat = exo(["run", "tinyllama"]);
    await chat.shows(">>> ");
    chat.type("\u001b[200~one\ntwo\n\u001b[201~");
    await chat.shows("one↵two");
    assert.equal(stub.asked.length, 0, "pasted line breaks do not send");
    chat.type("\r");
    await chat.shows("The capital is Paris.");
    await chat.shows("tokens/s, the first after");
    await chat.shows(">>> ");
    chat.type(CTRL_D);
    assert.equal(await chat.ended(), 0);
    assert.ok(chat.raw.includes("\u001b[?2004h"), "pastes are asked for in brackets");
    assert.ok(chat.raw.lastIndexOf("\u001b[?2004l") > chat.raw.lastIndexOf("\u001b[?2004h"), "and no more afterwards");
    const file = join(home, "config", "chat-history");
    assert.equal(await readFile(file, "utf8"), '"one\\ntwo\\n"\n');
    assert.equal((await stat(file)).mode & 0o777, 0o600);

    const next = exo(["run", "tinyllama"]);
    await next.shows(">>> ");
    next.type("\u001b[A");
    await next.shows("one↵two");
    next.type(CTRL_C);
    await next.shows(">>> ");
    next.type(CTRL_C);
    await next.shows("Ctrl-C again, Ctrl-D or /exit leaves");
    next.type(CTRL_C);
    assert.equal(await next.ended(), 0);
  });

  test("run --no-history neither reads nor keeps what is typed", TIMEOUT, async () => {
    const own = join(home, "without");
    for (const [args, env] of [
      [["run", "tinyllama", "--no-history"], {}],
      [["run", "tinyllama"], { EXO_NATIVE_NO_HISTORY: "1" }],
    ] as const) {
      const chat = exo(args, { env: { EXO_NATIVE_HOME: own, ...env } });
      await chat.shows(">>> ");
      chat.type("Hello?\r");
      await chat.shows("is Paris.");
      await chat.shows(">>> ");
      chat.type("/exit\r");
      assert.equal(await chat.ended(), 0);
    }
    await assert.rejects(stat(join(own, "config", "chat-history")), { code: "ENOENT" });
  });

  test("Ctrl-C stops an answer, and the chat goes on", TIMEOUT, async () => {
    stub.answer = null;
    const chat = exo(["run", "tinyllama"]);
    await chat.shows(">>> ");
    chat.type("Tell a story\r");
    await chat.shows("Once ");
    chat.type(CTRL_C);
    await chat.shows("(stopped)");
    await chat.shows(">>> ");
    chat.type("/exit\r");
    assert.equal(await chat.ended(), 0);
  });

  test("colours go by NO_COLOR and FORCE_COLOR", TIMEOUT, async () => {
    const colour = "\u001b[3";
    const shown = async (env: PtyOptions["env"]): Promise<string> => {
      const status = exo(["status"], { env });
      assert.equal(await status.ended(), 0);
      return status.raw;
    };
    assert.ok((await shown({})).includes(colour));
    assert.ok(!(await shown({ NO_COLOR: "1" })).includes("\u001b["));
    assert.ok(!(await shown({ FORCE_COLOR: "0" })).includes("\u001b["));
    assert.ok((await shown({ FORCE_COLOR: "1", TERM: "dumb" })).includes(colour));
  });

  test("status --watch fits a narrow terminal, scrolls, and ends with q", TIMEOUT, async () => {
    const watch = exo(["status", "--watch"], { rows: 8, columns: 40 });
    await watch.shows("q or Ctrl-C ends");
    await watch.shows("more below");
    watch.type("\u001b[B");
    await watch.shows("more below");
    watch.type("q");
    assert.equal(await watch.ended(), 0);
    const frames = watch.raw.split("\u001b[H").map(stripVTControlCharacters);
    assert.ok(frames.length >= 3, "the start and the scrolling were drawn");
    const lines = frames.flatMap((frame) => frame.split("\n"));
    for (const line of lines) assert.ok([...line.trimEnd()].length < 40, line);
    assert.ok(watch.raw.endsWith("\u001b[?25h\u001b[?1049l"), "the terminal is as it was");
  });
});
