import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Kept } from "../../src/web/app/kept.js";
import { chatMessages } from "../../src/web/chat/chat-messages.js";
import {
  type Answer,
  branchOf,
  type Conversation,
  newConversation,
  type Question,
  showing,
  siblingsOf,
  titleOf,
  withChanged,
  withTurn,
} from "../../src/web/chat/conversation.js";
import { CONVERSATION_PREFIX, ConversationStore } from "../../src/web/chat/conversation-store.js";
import { fileName, toJson, toMarkdown } from "../../src/web/chat/export.js";
import { parseConversation } from "../../src/web/chat/parse-conversation.js";
import { MemoryShelf } from "../support/memory-shelf.js";

function question(id: string, parent: string | null, text = id): Question {
  return { id, parent, role: "user", text };
}

function answer(id: string, parent: string, extra: Partial<Answer> = {}): Answer {
  const nothing = { reasoning: "", toolCalls: [], failure: null, facts: null, requestId: "" };
  return { id, parent, role: "assistant", model: "tiny", text: id, ending: "complete", ...nothing, ...extra };
}

/** q1 → a1 → q2 → a2, with a1' beside a1 (and nothing after it), the latter shown. */
function branched(): Conversation {
  const turns = [
    question("q1", null),
    answer("a1", "q1"),
    question("q2", "a1"),
    answer("a2", "q2"),
    answer("a1'", "q1"),
  ];
  return turns.reduce((conversation, turn, now) => withTurn(conversation, turn, now), newConversation("c", 0));
}

function ids(turns: readonly { readonly id: string }[]): readonly string[] {
  return turns.map(({ id }) => id);
}

describe("a conversation", () => {
  test("shows one branch, and changes to another along its newest turns", () => {
    const conversation = branched();
    assert.deepEqual(ids(branchOf(conversation)), ["q1", "a1'"]);
    assert.deepEqual(ids(branchOf(showing(conversation, "a1"))), ["q1", "a1", "q2", "a2"]);
    assert.deepEqual(ids(branchOf(showing(conversation, "q1"))), ["q1", "a1'"]);
  });

  test("knows what stands beside a turn", () => {
    const conversation = branched();
    assert.deepEqual(ids(siblingsOf(conversation, answer("a1", "q1"))), ["a1", "a1'"]);
    assert.deepEqual(ids(siblingsOf(conversation, question("q1", null))), ["q1"]);
  });

  test("exchanges a turn for its newer self", () => {
    const changed = withChanged(branched(), answer("a1'", "q1", { text: "longer" }), 9);
    assert.deepEqual([branchOf(changed).at(-1)?.text, changed.updated], ["longer", 9]);
  });

  test("is called by its first question, or as its reader says", () => {
    const conversation = withTurn(newConversation("c", 0), question("q", null, `a\n b ${"word ".repeat(30)}`), 0);
    assert.match(titleOf(conversation), /^a b word .*…$/);
    assert.ok(titleOf(conversation).length <= 60);
    assert.equal(titleOf({ ...conversation, name: "Mine" }), "Mine");
    assert.equal(titleOf(newConversation("c", 0)), "New chat");
  });
});

describe("what a model is told", () => {
  test("is the system prompt and the branch, without questions that got no answer", () => {
    const branch = [
      question("q1", null),
      answer("a1", "q1"),
      question("q2", "a1"),
      answer("a2", "q2", { text: "", ending: "failed" }),
      question("q3", "a2"),
    ];
    assert.deepEqual(chatMessages("Be brief.", branch), [
      { role: "system", content: "Be brief." },
      { role: "user", content: "q1" },
      { role: "assistant", content: "a1" },
      { role: "user", content: "q3" },
    ]);
  });

  test("has tool calls in OpenAI's form", () => {
    const toolCalls = [{ id: "1", name: "weather", arguments: "{}" }];
    const [, told] = chatMessages("", [question("q", null), answer("a", "q", { text: "", toolCalls })]);
    assert.deepEqual(told, {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: "{}" } }],
    });
  });

  test("never has two of one role in a row, whatever failed", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean())), (steps) => {
        const branch = steps.flatMap(([answered, empty], index) => [
          question(`q${index}`, null),
          ...(answered ? [answer(`a${index}`, `q${index}`, empty ? { text: "" } : {})] : []),
        ]);
        const roles = chatMessages("", branch).map(({ role }) => role);
        for (const [index, role] of roles.entries()) assert.notEqual(role, roles[index - 1]);
      }),
    );
  });
});

describe("kept conversations", () => {
  const kept = (shelf: MemoryShelf): Kept => new Kept(() => shelf);
  const one = (id: string, updated: number, text = id): Conversation =>
    withTurn(newConversation(id, updated), question(`${id}-q`, null, text), updated);

  test("come back as they were, the newest first", () => {
    const shelf = new MemoryShelf();
    const store = new ConversationStore(kept(shelf));
    store.save(one("a", 1));
    store.save({ ...branched(), updated: 7 });
    const again = new ConversationStore(kept(shelf));
    assert.deepEqual(again.list.value, [{ ...branched(), updated: 7 }, one("a", 1)]);
    again.remove("a");
    assert.deepEqual(ids(new ConversationStore(kept(shelf)).list.value), ["c"]);
  });

  test("the oldest go when there are too many, or no room", () => {
    const many = new ConversationStore(kept(new MemoryShelf()), { conversations: 2, characters: 1e6 });
    assert.deepEqual(many.save(one("a", 1)), { kept: true, dropped: 0 });
    many.save(one("b", 2));
    assert.deepEqual(many.save(one("c", 3)), { kept: true, dropped: 1 });
    assert.deepEqual(ids(many.list.value), ["c", "b"]);

    const full = new ConversationStore(kept(new MemoryShelf(1500)));
    for (let index = 0; index < 20; index += 1) assert.equal(full.save(one(`n${index}`, index)).kept, true);
    assert.ok(full.list.value.length < 20 && full.list.value.length > 1);
    assert.equal(full.list.value[0]?.id, "n19");
  });

  test("one that has no room at all lasts as long as the page", () => {
    const store = new ConversationStore(kept(new MemoryShelf(100)));
    assert.deepEqual(store.save(one("a", 1, "x".repeat(200))), { kept: false, dropped: 0 });
    assert.equal(store.list.value.length, 1);
  });

  test("nothing breaks where storage is switched off", () => {
    const store = new ConversationStore(
      new Kept(() => {
        throw new Error("denied");
      }),
    );
    assert.equal(store.save(one("a", 1)).kept, false);
    assert.equal(store.get("a")?.id, "a");
  });

  test("follow other tabs", () => {
    const shelf = new MemoryShelf();
    const here = new ConversationStore(kept(shelf));
    here.save(one("mine", 1));
    new ConversationStore(kept(shelf)).save(one("theirs", 2));
    here.changedElsewhere(`${CONVERSATION_PREFIX}theirs`);
    assert.deepEqual(ids(here.list.value), ["theirs", "mine"]);
    shelf.removeItem(`${CONVERSATION_PREFIX}mine`);
    here.changedElsewhere(`${CONVERSATION_PREFIX}mine`);
    assert.deepEqual(ids(here.list.value), ["theirs"]);
    here.changedElsewhere("something else");
    shelf.removeItem(`${CONVERSATION_PREFIX}theirs`);
    here.changedElsewhere(null);
    assert.deepEqual(here.list.value, []);
  });

  test("are parsed whatever storage holds; an answer that was being written counts as stopped", () => {
    const writing = withTurn(branched(), answer("a3", "a1'", { ending: "writing" }), 5);
    const parsed = parseConversation(JSON.parse(JSON.stringify(writing)));
    assert.equal(Reflect.get(Object(parsed?.turns.at(-1)), "ending"), "stopped");
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const read = parseConversation(value);
        if (read !== null) branchOf(read);
      }),
    );
    for (const broken of [null, 1, "x", [], {}, { id: "a" }, { id: "a", turns: [{}, { id: "x", role: "root" }] }]) {
      assert.equal(parseConversation(broken), null);
    }
  });

  test("a circle of turns ends", () => {
    const circle = parseConversation({
      id: "c",
      leaf: "b",
      turns: [
        { id: "a", parent: "b", role: "user", text: "" },
        { id: "b", parent: "a", role: "user", text: "" },
      ],
    });
    assert.ok(circle);
    assert.deepEqual(ids(branchOf(circle)), ["a", "b"]);
    assert.equal(branchOf(showing(circle, "a")).length, 2);
  });
});

describe("exports", () => {
  const whole = withTurn(
    withTurn(newConversation("c", 0), question("q", null, "How warm is it?"), 0),
    answer("a", "q", {
      text: "Let me look.",
      reasoning: "Oslo\nit is",
      toolCalls: [{ id: "1", name: "weather", arguments: '{"city":"Oslo"}' }],
      ending: "stopped",
    }),
    0,
  );

  test("Markdown can be read", () => {
    assert.equal(
      toMarkdown(whole),
      [
        "# How warm is it?",
        "## You",
        "How warm is it?",
        "## tiny",
        "> Oslo\n> it is",
        "Let me look.",
        'Tool call `weather`:\n\n```json\n{"city":"Oslo"}\n```',
        "*Stopped.*\n",
      ].join("\n\n"),
    );
  });

  test("JSON holds everything", () => {
    assert.deepEqual(parseConversation(JSON.parse(toJson(whole))), whole);
  });

  test("files have names that every system takes", () => {
    assert.equal(fileName(whole, "md"), "how-warm-is-it.md");
    assert.equal(fileName({ ...whole, name: "../../etc: 日本 <x>" }, "json"), "etc-日本-x.json");
    assert.equal(fileName({ ...whole, name: "???" }, "md"), "chat.md");
  });
});
