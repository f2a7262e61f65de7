import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { assertSameAnswer, type Completion, complete, post } from "../support/completions.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

/** f16 weights: a token computed in a batch of another size differs in the last bits. */
const model = sharedModel("stories260K-f16.gguf") ?? tinyModel();

/** Token ids that every vocabulary here has; each `seed` gives others. */
const text = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 260 + ((index * 7 + seed * 13 + ((index * index * seed) % 11)) % 90));

const SYSTEM = text(1, 150);

for (const nodes of [1, 2]) {
  describe(`the prefix cache of a ring of ${nodes}`, () => {
    let ring: NodeProcess[] = [];
    before(async () => {
      ring = await startRing(nodes, model, ["--ctx", "512", "--slots", "3", "--ubatch", "64"]);
    });
    after(async () => {
      await Promise.all(ring.map((node) => node.stop()));
    });

    const ask = (prompt: readonly number[], more: object = {}): Promise<Completion> => {
      const [head] = ring;
      assert.ok(head !== undefined);
      return complete(head, { prompt, max_tokens: 12, temperature: 0, ...more });
    };

    /** Asks, and then again with nothing from a cache. */
    const askTwice = async (prompt: readonly number[]): Promise<Completion> => {
      const warm = await ask(prompt);
      const cold = await ask(prompt, { cache_prompt: false });
      assert.equal(cold.cachedTokens, 0);
      assertSameAnswer(warm, cold, `${warm.cachedTokens} of ${prompt.length} tokens cached`);
      return warm;
    };

    test("several conversations with one system prompt: each finds what it shares, and answers as if computed anew", async () => {
      assert.equal((await ask([...SYSTEM, ...text(2, 60)])).cachedTokens, 0);
      assert.equal((await ask([...SYSTEM, ...text(3, 60)])).cachedTokens, SYSTEM.length, "a copy");
      assert.ok((await ask([...SYSTEM, ...text(2, 60), ...text(4, 20)])).cachedTokens >= 210, "the first goes on");
      assert.ok((await ask([...SYSTEM, ...text(3, 60), ...text(5, 20)])).cachedTokens >= 210, "and the second");
      for (const seed of [6, 7, 8]) {
        const answer = await askTwice([...SYSTEM, ...text(seed, 40)]);
        assert.ok(answer.cachedTokens >= SYSTEM.length);
        assert.equal(answer.promptTokens, SYSTEM.length + 40);
      }
    });

    test("a prompt cut back in the middle of what is cached answers as if computed anew", async () => {
      await ask([...SYSTEM, ...text(9, 100)]);
      for (const length of [151, 170, 180, 249]) {
        const answer = await askTwice([...SYSTEM, ...text(9, 100)].slice(0, length));
        assert.ok(answer.cachedTokens >= SYSTEM.length);
      }
    });

    test("requests that come together share what the first of them computes", async () => {
      const prefix = text(10, 200);
      const prompts = [11, 12, 13].map((seed) => [...prefix, ...text(seed, 15)]);
      const together = await Promise.all(prompts.map((prompt) => ask(prompt)));
      const cached = together.map((answer) => answer.cachedTokens).toSorted((a, b) => a - b);
      assert.equal(cached[0], 0);
      // For the last few tokens it is not worth waiting, if most were there already.
      assert.ok(
        cached.slice(1).every((count) => count > 180),
        `${cached} tokens were cached`,
      );
      for (const [index, prompt] of prompts.entries()) {
        const cold = await ask(prompt, { cache_prompt: false });
        assertSameAnswer(together[index] ?? cold, cold, `request ${index}`);
      }
    });

    test("a prefix is copied out of an answer that is under way, which goes on unharmed", async () => {
      const first = [...text(14, 200), 300];
      const second = [...text(14, 200), 301, 302];
      const alone = await ask(first, { cache_prompt: false, max_tokens: 100, ignore_eos: true });
      const running = ask(first, { cache_prompt: false, max_tokens: 100, ignore_eos: true });
      const beside = await ask(second);
      assert.equal(beside.cachedTokens, 200);
      assertSameAnswer(await running, alone, "the one that was copied from");
      assertSameAnswer(beside, await ask(second, { cache_prompt: false }), "the copy");
    });
  });
}

const chatSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).length(1),
  usage: z.object({ prompt_tokens: z.int(), prompt_tokens_details: z.object({ cached_tokens: z.int() }) }),
});

describe("chats over a ring of two", () => {
  const TEMPLATE =
    "{%- for message in messages %}{{- '[' + message.role + ']' + message.content + '\\n' }}{%- endfor %}" +
    "{%- if add_generation_prompt %}{{- '[assistant]' }}{%- endif %}";
  const model = writeTinyModel({ chatTemplate: TEMPLATE });
  let ring: NodeProcess[] = [];
  before(async () => {
    ring = await startRing(2, model.path, ["--ctx", "1024", "--slots", "3"]);
  });
  after(async () => {
    await Promise.all(ring.map((node) => node.stop()));
    model.remove();
  });

  /** Says something more in a chat, and adds it and the answer; each time at another node. */
  async function say(chat: { role: string; content: string }[], content: string) {
    chat.push({ role: "user", content });
    const node = ring[chat.length % ring.length];
    assert.ok(node !== undefined);
    // Only characters of one token each, which are the same tokens when the template writes them again.
    const body = { messages: chat, max_tokens: 12, temperature: 0, grammar: "root ::= [a-z]+" };
    const { choices, usage } = chatSchema.parse(await (await post(node, "/v1/chat/completions", body)).json());
    chat.push({ role: "assistant", content: choices[0]?.message.content ?? "" });
    return { promptTokens: usage.prompt_tokens, cachedTokens: usage.prompt_tokens_details.cached_tokens };
  }

  test("every turn of two chats in turn finds the one before, and the second chat the system prompt", async () => {
    const system = {
      role: "system",
      content: "You are as brief as can be, and you answer in small letters. ".repeat(3),
    };
    const [one, other] = [[system], [system]];
    let [lastOne, lastOther] = [await say(one, "Hello!"), await say(other, "What is this?")];
    assert.equal(lastOne.cachedTokens, 0);
    assert.ok(lastOther.cachedTokens > system.content.length, `${lastOther.cachedTokens} tokens`);
    for (const question of ["And then?", "Why is that so?", "Go on."]) {
      const [nextOne, nextOther] = [await say(one, question), await say(other, `${question} Tell me.`)];
      assert.ok(nextOne.cachedTokens >= lastOne.promptTokens, `${nextOne.cachedTokens} of ${nextOne.promptTokens}`);
      assert.ok(
        nextOther.cachedTokens >= lastOther.promptTokens,
        `${nextOther.cachedTokens} of ${nextOther.promptTokens}`,
      );
      [lastOne, lastOther] = [nextOne, nextOther];
    }
  });
});
