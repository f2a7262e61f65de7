import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { ChatHistory } from "../../src/cli/chat/chat-history.js";
import { LineJoiner } from "../../src/cli/chat/line-joiner.js";
import { onOneLine, PastedLines, withBreaks } from "../../src/cli/chat/pasted-lines.js";
import { loadChat, saveChat } from "../../src/cli/chat/saved-chat.js";

const BEGIN = "\u001b[200~";
const END = "\u001b[201~";

describe("several lines as one entry", () => {
  /** What each line brings; `null` where the entry goes on. */
  function joined(...lines: readonly string[]): readonly unknown[] {
    const joiner = new LineJoiner();
    return lines.map((line) => joiner.add(line));
  }

  test("a backslash at the end of a line joins it with the next", () => {
    assert.deepEqual(joined("a\\", "b", "c"), [null, { text: "a\nb", quoted: false }, { text: "c", quoted: false }]);
  });

  test("quotes hold lines as they are, and what they hold is no command", () => {
    assert.deepEqual(joined('"""', "/clear \\", "", "  b", '"""'), [
      null,
      null,
      null,
      null,
      { text: "/clear \\\n\n  b", quoted: true },
    ]);
    assert.deepEqual(joined('"""a', 'b"""'), [null, { text: "a\nb", quoted: true }]);
    assert.deepEqual(joined('"""one"""', '""""""'), [
      { text: "one", quoted: true },
      { text: "", quoted: true },
    ]);
    assert.deepEqual(joined('He said """no"""'), [{ text: 'He said """no"""', quoted: false }]);
  });

  test("the system prompt may stand in quotes behind its command", () => {
    assert.deepEqual(joined('/system """', "Be brief.", "Be kind.", '"""'), [
      null,
      null,
      null,
      { text: "/system Be brief.\nBe kind.", quoted: false },
    ]);
  });

  test("what was begun can be dropped", () => {
    const joiner = new LineJoiner();
    joiner.add('"""a');
    assert.equal(joiner.pending, true);
    joiner.reset();
    assert.equal(joiner.pending, false);
    assert.deepEqual(joiner.add("b"), { text: "b", quoted: false });
  });
});

describe("pasting", () => {
  test("line breaks do not send, and keys in it are not pressed", () => {
    const pasted = new PastedLines();
    const given = pasted.filter(`a${BEGIN}one\r\ntwo\rthree\n\tfour\u0003\u001b[A${END}b\r`);
    assert.equal(given, `a${BEGIN}one↵two↵three↵\tfour[A${END}b\r`);
    assert.equal(withBreaks("one↵two"), "one\ntwo");
    assert.equal(onOneLine("one\ntwo"), "one↵two");
  });

  test("is seen wherever the terminal's bytes are cut", () => {
    const text = `x${BEGIN}one\r\n🗼 [201 two${END}y\u001b[A${BEGIN}three${END}`;
    const whole = new PastedLines().filter(text);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length }), { maxLength: 8 }), (cuts) => {
        const pasted = new PastedLines();
        // Decoders never cut a character in two.
        const edges = [...cuts.sort((a, b) => a - b), text.length].filter((edge) => edge !== text.indexOf("🗼") + 1);
        let begin = 0;
        let given = "";
        for (const edge of edges) {
          given += pasted.filter(text.slice(begin, edge));
          begin = edge;
        }
        assert.equal(given, whole);
      }),
    );
  });

  test("Ctrl-C gets out of one that never ends", () => {
    const pasted = new PastedLines();
    assert.equal(pasted.filter(`${BEGIN}lost`), BEGIN);
    assert.equal(pasted.filter("\u0003"), "\u0003");
    assert.equal(pasted.filter("typed\r"), "typed\r");
  });
});

describe("history", () => {
  let home = "";
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-history-"));
  });
  after(() => rm(home, { recursive: true }));

  test("goes on in the next chat, for its owner only", async () => {
    const path = join(home, "config", "chat-history");
    const first = await ChatHistory.open(path);
    for (const entry of ["one", "two\nlines", "two\nlines", " secret", "  ", "x".repeat(10_001)]) first.add(entry);
    await first.saved();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const second = await ChatHistory.open(path);
    assert.deepEqual(second.entries, ["one", "two\nlines"]);
    assert.equal(await readFile(path, "utf8"), '"one"\n"two\\nlines"\n');
  });

  test("keeps the newest, and its file does not grow for ever", async () => {
    const path = join(home, "long");
    await writeFile(path, Array.from({ length: 2500 }, (_, index) => `"${index}"\n`).join(""), { mode: 0o644 });
    const history = await ChatHistory.open(path);
    assert.equal(history.entries.length, 1000);
    assert.equal(history.entries.at(-1), "2499");
    assert.equal((await readFile(path, "utf8")).split("\n").length, 1001);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test("takes no harm from what is no history", async () => {
    const path = join(home, "noise");
    await writeFile(path, 'half a li\n7\n{"a":1}\n"good"\n\u0000\n');
    assert.deepEqual((await ChatHistory.open(path)).entries, ["good"]);
    await assert.rejects(ChatHistory.open(home), /The history of chats at .* cannot be used .*--no-history/);
  });

  test("what cannot be written is said once, at the end", async () => {
    const path = join(home, "link");
    await symlink(join(home, "no", "such"), path);
    const history = await ChatHistory.open(path);
    history.add("one");
    history.add("two");
    await assert.rejects(history.saved(), /cannot be used/);
    assert.deepEqual(history.entries, ["one", "two"]);
  });
});

describe("saved chats", () => {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello." },
  ] as const;

  test("come back as they were, and replace only their like", async (context) => {
    const home = await mkdtemp(join(tmpdir(), "exo-saved-"));
    context.after(() => rm(home, { recursive: true }));
    const path = join(home, "chat.json");
    await saveChat(path, { model: "m", messages: messages.slice(1) });
    await saveChat(path, { model: "m", messages });
    assert.deepEqual((await loadChat(path)).messages, messages);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const other = join(home, "package.json");
    await writeFile(other, "{}");
    await assert.rejects(saveChat(other, { model: "m", messages }), /is there already and is no saved chat/);
    await assert.rejects(loadChat(other), /is not a chat that \/save has written/);
    await assert.rejects(loadChat(join(home, "nonesuch")), /There is no chat to be read at .*nonesuch/);
    assert.equal(await readFile(other, "utf8"), "{}");
  });
});
