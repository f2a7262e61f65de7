import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CHAT_COMMANDS, commandIn, completionsOf } from "../../src/cli/chat/commands/all-commands.js";
import type { ChatActions } from "../../src/cli/chat/commands/chat-command.js";
import { Conversation } from "../../src/cli/chat/conversation.js";
import type { ListedModel } from "../../src/cli/node-client/node-client.js";

function listed(id: string, loaded = true): ListedModel {
  return { id, aliases: [`npm:${id}`], loaded, contextSize: 2048, vocabularySize: 1, parameterCount: 1, bytes: 1 };
}

/** A chat that remembers what it was told to do. */
class RecordedChat implements ChatActions {
  readonly conversation = new Conversation({
    ask: async function* () {
      yield { type: "text", text: "Yes." };
      yield {
        type: "end",
        finishReason: "stop",
        numbers: { promptTokens: 20, cachedTokens: 5, answerTokens: 3, prefillSeconds: 0.5, tokensPerSecond: 12.34 },
      };
    },
    model: "tinyllama",
    fields: {},
    system: null,
    now: () => 0,
  });
  stats = true;
  lastOutcome: ChatActions["lastOutcome"] = null;
  readonly said: string[] = [];
  readonly models = async () => [listed("tinyllama"), listed("qwen3-4b", false), listed("qwen3-8b", false)];
  readonly print = (lines: readonly string[]): void => void this.said.push(...lines);
  readonly note = (text: string): void => void this.said.push(text);
  readonly answerAgain = async (): Promise<void> => void this.said.push("again");
  readonly leave = (): void => void this.said.push("left");

  async ask(question: string): Promise<void> {
    this.lastOutcome = await this.conversation.say(question, () => {}, new AbortController().signal);
  }

  /** Runs one entry and returns what it said. */
  async run(entry: string): Promise<string> {
    const found = commandIn(entry);
    assert.ok(found !== null && "command" in found, entry);
    this.said.length = 0;
    await found.command.run(this, found.argument);
    return this.said.join("\n");
  }
}

describe("what an entry is", () => {
  test("a word behind a slash is a command, a path or a text is a question", () => {
    for (const question of ["What?", "/etc/hosts holds what?", "/usr/bin", "1/2", "/", "/3"]) {
      assert.equal(commandIn(question), null, question);
    }
    assert.deepEqual(commandIn("/nonsense and more"), { unknown: "/nonsense" });
    const found = commandIn("/SYSTEM  Be brief.\nBe kind. ");
    assert.ok(found !== null && "command" in found);
    assert.equal(found.command.names[0], "system");
    assert.equal(found.argument, "Be brief.\nBe kind.");
  });

  test("no two commands have one name", () => {
    const names = CHAT_COMMANDS.flatMap((command) => command.names);
    assert.equal(new Set(names).size, names.length);
  });

  test("the help lists every command, and fits 100 columns", async () => {
    const help = await new RecordedChat().run("/?");
    for (const { names } of CHAT_COMMANDS) assert.match(help, new RegExp(`^ {2}/${names[0]}\\b`, "m"));
    assert.deepEqual(
      help.split("\n").filter((line) => line.length > 110),
      [],
    );
  });
});

describe("commands of the chat", () => {
  test("settings are set, shown, taken back, and refused in a sentence", async () => {
    const chat = new RecordedChat();
    assert.equal(await chat.run("/set temperature 0.7"), "temperature is 0.7");
    await chat.run("/set top_k=40");
    assert.deepEqual(chat.conversation.fields, { temperature: 0.7, top_k: 40 });
    const shown = await chat.run("/set");
    assert.match(shown, /^ {2}temperature +0\.7 /m);
    assert.match(shown, /^ {2}seed +default /m);
    await chat.run("/set temperature default");
    assert.deepEqual(chat.conversation.fields, { top_k: 40 });
    await assert.rejects(chat.run("/set temperature hot"), {
      message: 'Expected a number from 0 to 100 for temperature, received "hot".',
    });
    await assert.rejects(chat.run("/set top-k 1.5"), /Expected a whole number/);
    await assert.rejects(chat.run("/set top-k"), /received nothing/);
    await assert.rejects(chat.run("/set heat 1"), /There is no setting "heat"; there are temperature, /);
  });

  test("the system prompt", async () => {
    const chat = new RecordedChat();
    assert.match(await chat.run("/system"), /no system prompt/);
    await chat.run("/system Be brief.");
    assert.deepEqual(chat.conversation.messages, [{ role: "system", content: "Be brief." }]);
    assert.match(await chat.run("/system"), /Be brief\./);
    await chat.run("/system none");
    assert.equal(chat.conversation.system, null);
  });

  test("models are listed and switched, by name or by a beginning that only one has", async () => {
    const chat = new RecordedChat();
    assert.match(await chat.run("/model"), /^\* tinyllama +loaded\n {2}qwen3-4b +loaded when it is asked$/m);
    assert.match(await chat.run("/model npm:qwen3-4b"), /^qwen3-4b goes on; it is loaded/);
    assert.equal(chat.conversation.model, "qwen3-4b");
    assert.match(await chat.run("/model tiny"), /^tinyllama goes on with this conversation/);
    await assert.rejects(chat.run("/model qwen"), { message: '"qwen" could be qwen3-4b, qwen3-8b.' });
    await assert.rejects(chat.run("/model gemma"), /"gemma" is none of tinyllama, /);
    assert.equal(chat.conversation.model, "tinyllama");
  });

  test("taking back, forgetting, answering anew, leaving", async () => {
    const chat = new RecordedChat();
    assert.match(await chat.run("/undo"), /nothing to take back/);
    await chat.ask("Is it so?");
    assert.equal(await chat.run("/undo"), "taken back: Is it so?");
    assert.deepEqual(chat.conversation.messages, []);
    await chat.ask("Is it so?");
    await chat.run("/new");
    assert.deepEqual(chat.conversation.messages, []);
    assert.equal(await chat.run("/retry"), "again");
    assert.equal(await chat.run("/bye"), "left");
  });

  test("what the conversation took", async () => {
    const chat = new RecordedChat();
    assert.doesNotMatch(await chat.run("/stats"), /context/);
    await chat.ask("Is it so?");
    const told = await chat.run("/stats");
    assert.match(told, /^ {2}context +23 of 2048 tokens$/m);
    assert.match(told, /^ {2}last prompt +20 tokens, 5 of them computed before, in 0\.50 s$/m);
    assert.match(told, /^ {2}last answer +3 tokens at 12\.3 tokens\/s$/m);
    await chat.run("/stats off");
    assert.equal(chat.stats, false);
    await assert.rejects(chat.run("/stats maybe"), /Expected on, off or nothing/);
  });

  test("saved and loaded", async (context) => {
    const home = mkdtempSync(join(tmpdir(), "exo-chat-"));
    context.after(() => rmSync(home, { recursive: true }));
    const chat = new RecordedChat();
    await chat.run("/system Be brief.");
    await chat.ask("Is it so?");
    const file = join(home, "a chat.json");
    assert.equal(await chat.run(`/save ${file}`), `saved to ${file}`);
    const other = new RecordedChat();
    other.conversation.model = "qwen3-4b";
    assert.equal(await other.run(`/load ${file}`), "1 question loaded; it was had with tinyllama");
    assert.deepEqual(other.conversation.messages, chat.conversation.messages);
    assert.equal(other.conversation.model, "qwen3-4b");
    await assert.rejects(chat.run("/save"), /Say which file/);
    const [files, typed] = await completionsOf(chat, `/load ${join(home, "a")}`);
    assert.deepEqual([files, typed], [[file], join(home, "a")]);
  });
});

describe("completion in the chat", () => {
  const chat = new RecordedChat();

  test("commands, and what can stand behind them", async () => {
    assert.deepEqual(await completionsOf(chat, "/s"), [["/system ", "/set ", "/stats ", "/save "], "/s"]);
    assert.deepEqual(await completionsOf(chat, "/und"), [["/undo"], "/und"]);
    assert.deepEqual(await completionsOf(chat, "/model q"), [["qwen3-4b", "qwen3-8b"], "q"]);
    assert.deepEqual((await completionsOf(chat, "/set to"))[0], ["top-p", "top-k"]);
    assert.deepEqual(await completionsOf(chat, "/set seed d"), [["seed default"], "seed d"]);
    assert.deepEqual(await completionsOf(chat, "/load /nonesuch/x"), [[], "/nonesuch/x"]);
  });

  test("nothing for questions and for what is no command", async () => {
    assert.deepEqual(await completionsOf(chat, "What is"), [[], "What is"]);
    assert.deepEqual((await completionsOf(chat, "/nonsense x"))[0], []);
  });
});
