import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { demoModel, sharedModel, tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { referenceTokens } from "../support/reference.js";

const TOKENS = 64;
const CONTEXT = 256;
const UBATCH = 128;
/** Unknown, BOS and EOS of a llama vocabulary: an answer's text leaves them out, `/detokenize` writes them. */
const CONTROL_TOKENS = new Set([0, 1, 2]);
const SETTINGS = ["--ctx", String(CONTEXT), "--ubatch", String(UBATCH)];

const completionSchema = z.object({
  choices: z.array(z.object({ text: z.string(), finish_reason: z.enum(["stop", "length"]) })).length(1),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }),
});

async function post(node: NodeProcess, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${node.http}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

async function greedyText(node: NodeProcess, prompt: readonly number[]): Promise<string> {
  const answer = completionSchema.parse(
    await post(node, "/v1/completions", {
      prompt,
      max_tokens: TOKENS,
      temperature: 0,
      cache_prompt: false,
      speculation: false,
    }),
  );
  return answer.choices[0]?.text ?? "";
}

async function tokenize(node: NodeProcess, content: string): Promise<number[]> {
  const answer = await post(node, "/tokenize", { content, add_special: true });
  return z.object({ tokens: z.array(z.int()) }).parse(answer).tokens;
}

async function detokenize(node: NodeProcess, tokens: readonly number[]): Promise<string> {
  return z.object({ content: z.string() }).parse(await post(node, "/detokenize", { tokens })).content;
}

const models = [
  { name: "stories260K f16", path: sharedModel("stories260K-f16.gguf") },
  { name: "stories15M q8_0", path: sharedModel("stories15M-q8_0.gguf") },
  { name: "stories15M q4_0", path: sharedModel("stories15M-q4_0.gguf") },
  { name: "a generated model", path: tinyModel() },
  { name: "the demo model", path: await demoModel() },
];

for (const { name, path } of models) {
  describe(`greedy text of ${name}`, { skip: path === null && "the model is not on this machine" }, () => {
    const model = path ?? "";
    const prompt = "Once upon a time there was a little girl who";
    let expected: string | null = null;
    const reference = async (node: NodeProcess, tokens: readonly number[]): Promise<string> => {
      const settings = { maxTokens: TOKENS, contextSize: CONTEXT, batchSize: UBATCH, threads: 1 };
      const answer = await referenceTokens({ modelPath: model, prompt: tokens, ...settings });
      return detokenize(
        node,
        answer.filter((token) => !CONTROL_TOKENS.has(token)),
      );
    };

    for (const nodes of [1, 2, 3]) {
      describe(`on ${nodes} ${nodes === 1 ? "node" : "nodes"}`, () => {
        let ring: NodeProcess[] = [];
        before(async () => {
          ring = await startRing(nodes, model, SETTINGS);
        });
        after(async () => {
          await Promise.all(ring.map((node) => node.stop()));
        });

        test("is what untouched llama.cpp says", async () => {
          const [head] = ring;
          assert.ok(head !== undefined);
          const tokens = await tokenize(head, prompt);
          expected ??= await reference(head, tokens);
          assert.equal(await greedyText(head, tokens), expected);
        });

        test("is the same from every node of the ring", async () => {
          for (const node of ring) assert.equal(await greedyText(node, await tokenize(node, prompt)), expected);
        });
      });
    }
  });
}
