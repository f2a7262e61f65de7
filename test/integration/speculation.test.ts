import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertSameAnswer, type Completion, complete } from "../support/completions.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { NodeProcess, startRing } from "../support/node-process.js";
import { writeTinyMamba } from "../support/tiny-mamba.js";

/**
 * f16 or f32 weights: a token computed in a batch of another size differs in the last bits (products of one row are dot
 * products, those of several go by tiles; attention over one row adds up in another order).
 */
const model = sharedModel("stories260K-f16.gguf") ?? tinyModel();

const SETTINGS = ["--ctx", "512", "--slots", "2", "--ubatch", "64"];

/** Token ids that every vocabulary here has. */
const WORDS = Array.from({ length: 24 }, (_, index) => 260 + ((index * 7 + ((index * index) % 11)) % 90));
/** A text three times over: models go on copying it, or fall into a loop of their own. */
const REPEATING = [...WORDS, ...WORDS, ...WORDS];

function ask(node: NodeProcess | undefined, more: object): Promise<Completion> {
  assert.ok(node !== undefined);
  return complete(node, {
    prompt: REPEATING,
    max_tokens: 150,
    ignore_eos: true,
    temperature: 0,
    cache_prompt: false,
    ...more,
  });
}

for (const nodes of [1, 2]) {
  describe(`speculation over a ring of ${nodes}`, () => {
    let ring: NodeProcess[] = [];
    before(async () => {
      ring = await startRing(nodes, model, SETTINGS);
    });
    after(async () => {
      await Promise.all(ring.map((node) => node.stop()));
    });

    for (const [name, sampling] of [
      ["greedy", { temperature: 0 }],
      ["seeded", { temperature: 0.4, seed: 5 }],
      ["greedy, with a penalty", { temperature: 0, presence_penalty: 0.2 }],
    ] as const) {
      test(`${name} text is the same with and without drafts`, async () => {
        let accepted = 0;
        for (let round = 0; round < 4; round += 1) {
          const drafted = await ask(ring[0], sampling);
          const plain = await ask(ring[0], { ...sampling, speculation: false });
          assertSameAnswer(drafted, plain, `${drafted.acceptedDraftTokens} drafted tokens accepted`);
          assert.equal(plain.acceptedDraftTokens + plain.rejectedDraftTokens, 0);
          accepted += drafted.acceptedDraftTokens;
        }
        if (name === "greedy") assert.ok(accepted > 0, "drafts were tried, and right");
      });
    }

    test("an answer cut short by a stop string leaves a cache that the next request can trust", async () => {
      const whole = await ask(ring[0], { speculation: false });
      const stop = whole.text.slice(40, 44);
      for (let round = 0; round < 3; round += 1) {
        const cut = await ask(ring[0], { stop: [stop], cache_prompt: true });
        assert.ok(!cut.text.includes(stop));
        assert.ok(cut.completionTokens < whole.completionTokens);
        const warm = await ask(ring[0], { cache_prompt: true, speculation: false });
        assertSameAnswer(warm, whole, `${warm.cachedTokens} tokens cached`);
      }
    });

    test("several streams at once get the answers they get alone", async () => {
      const prompts = [REPEATING, REPEATING.slice(5), REPEATING.toReversed()];
      const alone: Completion[] = [];
      for (const prompt of prompts) alone.push(await ask(ring[0], { prompt, speculation: false }));
      const together = await Promise.all(prompts.map((prompt) => ask(ring[0], { prompt })));
      for (const [index, answer] of together.entries()) {
        assertSameAnswer(answer, alone[index] ?? answer, `stream ${index}`);
      }
    });
  });
}

describe("speculation where it cannot be", () => {
  test("a model with recurrent state answers without drafts", async () => {
    const mamba = writeTinyMamba();
    const ring = await startRing(2, mamba.path, ["--ctx", "256", "--slots", "1"]);
    for (let round = 0; round < 2; round += 1) {
      const answer = await ask(ring[0], { max_tokens: 60, ignore_eos: true });
      assert.equal(answer.completionTokens, 60);
      assert.equal(answer.acceptedDraftTokens + answer.rejectedDraftTokens, 0);
    }
    await Promise.all(ring.map((node) => node.stop()));
    mamba.remove();
  });

  test("drafting with a model asks for one; a model with another vocabulary, or recurrent state, is refused", async () => {
    const mamba = writeTinyMamba();
    const other = sharedModel("stories260K-f16.gguf");
    const cases: readonly (readonly [readonly string[], RegExp, number])[] = [
      [["--speculation", "draft"], /name it with --draft-model/, 2],
      [["--draft-model", mamba.path], /recurrent state; choose another --draft-model/, 1],
      ...(other === null
        ? []
        : ([[["--draft-model", other], /another vocabulary than the model: it has 512/, 2]] as const)),
    ];
    for (const [args, message, code] of cases) {
      const node = await NodeProcess.start({ name: "head", args: [tinyModel(), ...SETTINGS, ...args] });
      assert.equal(await node.ended(), code, `${args.join(" ")}: ${node.log}`);
      assert.match(node.log, message);
      await node.stop();
    }
    mamba.remove();
  });

  test("a draft model is loaded beside the head, and the text stays the same", async () => {
    const target = tinyModel();
    const ring = await startRing(2, target, [...SETTINGS, "--speculation", "draft", "--draft-model", target]);
    const drafted = await ask(ring[0], {});
    const plain = await ask(ring[0], { speculation: false });
    assertSameAnswer(drafted, plain, "with a draft model");
    await Promise.all(ring.map((node) => node.stop()));
  });
});
