import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI, { APIError } from "openai";
import { z } from "zod";
import { assertSameAnswer, complete, post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { sharedModel, tinyModel, writtenModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { referenceEmbeddings } from "../support/reference.js";
import { busySlots } from "../support/ring-load.js";
import { tinyEncoder } from "../support/tiny-encoder.js";

const CONTEXT = 128;
const TEXTS = [
  "The cat sat on the mat.",
  "A dog.",
  "the the the cat, a dog and 12 mats! what sat on the dog? the cat.",
  "x",
  ...Array.from({ length: 8 }, (_, index) => `a cat and ${index} dogs sat on a mat`),
];

/** Texts that are longer are cut, where they may be. */
const UBATCH = 64;
const SETTINGS = ["--slots", "3", "--ubatch", String(UBATCH)];
const EXACT = 1e-4;
/** Of texts that are cut, or computed with others: flash attention, in f16, then adds up in another order. */
const ROUNDED = 2e-3;

const clientOf = (node: NodeProcess): OpenAI =>
  new OpenAI({ baseURL: `${node.http}/v1`, apiKey: "none", maxRetries: 0 });

async function tokensOf(node: NodeProcess, content: string): Promise<number[]> {
  const response = await post(node, "/tokenize", { content, add_special: true });
  return z.object({ tokens: z.array(z.int()) }).parse(await response.json()).tokens;
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? Number.NaN), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function unit(values: readonly number[]): readonly number[] {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Cosine of at least 0.9999, and every number nearly the same. */
function assertClose(actual: readonly number[], expected: readonly number[], tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  const similarity = cosine(actual, expected);
  assert.ok(similarity >= 0.9999, `${what}: cosine ${similarity}`);
  const worst = Math.max(...actual.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN))));
  assert.ok(worst <= tolerance, `${what}: off by ${worst}`);
}

async function failureOf(asked: Promise<unknown>): Promise<APIError> {
  const error: unknown = await asked.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof APIError, String(error));
  return error;
}

interface Model {
  readonly name: string;
  readonly path: string | null;
  readonly answers: boolean;
  /** Nodes of the rings to try. */
  readonly rings: readonly number[];
}

const models: readonly Model[] = [
  { name: "a llama that says nothing of pooling", path: tinyModel(), answers: true, rings: [1, 2] },
  {
    name: "a llama pooled by its last token",
    path: tinyModel({ pooling: "last", seed: 2 }),
    answers: false,
    rings: [1],
  },
  { name: "a llama pooled by the mean", path: tinyModel({ pooling: "mean", seed: 3 }), answers: false, rings: [2] },
  {
    name: "a BERT pooled by the mean",
    path: writtenModel("bert-mean", tinyEncoder("bert", { wordPieces: true, contextLength: CONTEXT })),
    answers: false,
    rings: [1, 2],
  },
  {
    name: "a BERT pooled by its first token",
    path: writtenModel("bert-cls", tinyEncoder("bert", { wordPieces: true, pooling: "cls", contextLength: CONTEXT })),
    answers: false,
    rings: [1],
  },
  {
    name: "a Gemma for embeddings",
    path: writtenModel("gemma", tinyEncoder("gemma-embedding", { contextLength: CONTEXT })),
    answers: false,
    rings: [1],
  },
  { name: "stories260K", path: sharedModel("stories260K-f16.gguf"), answers: true, rings: [2] },
];

for (const { name, path, answers, rings } of models) {
  const isLanguageModel = /llama|stories/.test(name);
  for (const nodes of rings) {
    const skip = path === null && "the model is not on this machine";
    describe(`embeddings of ${name} on ${nodes} node${nodes === 1 ? "" : "s"}`, { skip }, () => {
      let ring: NodeProcess[] = [];
      let head: NodeProcess;
      let expected: readonly (readonly number[])[] = [];
      let lengths: readonly number[] = [];
      const model = path ?? "";
      const tolerance = (text: number): number => (isLanguageModel && (lengths[text] ?? 0) > UBATCH ? ROUNDED : EXACT);

      before(async () => {
        ring = await startRing(nodes, model, [...SETTINGS, "--ctx", String(CONTEXT)]);
        assert.ok(ring[0] !== undefined);
        head = ring[0];
        const texts = await Promise.all(TEXTS.map((text) => tokensOf(ring[0] ?? assert.fail(), text)));
        lengths = texts.map((tokens) => tokens.length);
        expected = await referenceEmbeddings({ modelPath: model, texts, contextSize: 2 * CONTEXT, threads: 1 });
      });
      after(async () => {
        await Promise.all(ring.map((node) => node.stop()));
      });

      test("are those of llama.cpp itself, through any node", async () => {
        for (const node of ring) {
          const { data, usage } = await clientOf(node).embeddings.create({ model, input: TEXTS });
          for (const [index, { embedding }] of data.entries()) {
            assertClose(embedding, unit(expected[index] ?? []), ROUNDED, `text ${index} with others`);
          }
          for (const [index, input] of TEXTS.entries()) {
            const { data: alone } = await clientOf(node).embeddings.create({ model, input });
            assertClose(alone[0]?.embedding ?? [], unit(expected[index] ?? []), tolerance(index), `text ${index}`);
          }
          assert.equal(
            usage.prompt_tokens,
            lengths.reduce((sum, length) => sum + length, 0),
          );
        }
      });

      test("are as the model gives them, where no length is wanted", async () => {
        const response = await post(head, "/v1/embeddings", { input: TEXTS[0], embd_normalize: -1 });
        const schema = z.object({ data: z.array(z.object({ embedding: z.array(z.number()) })).length(1) });
        const { data } = schema.parse(await response.json());
        const scale = Math.hypot(...(expected[0] ?? []));
        assertClose(
          (data[0]?.embedding ?? []).map((value) => value / scale),
          unit(expected[0] ?? []),
          EXACT,
          "raw",
        );
      });

      test("are refused where a text is too long, with both numbers", async () => {
        const input = ["x", new Array<number>(CONTEXT + 1).fill(5)];
        const response = await post(head, "/v1/embeddings", { input });
        assert.equal(response.status, 400);
        const { error } = z
          .object({ error: z.object({ message: z.string(), param: z.string(), code: z.string() }) })
          .parse(await response.json());
        assert.deepEqual([error.code, error.param], ["context_exceeded", "input[1]"]);
        assert.match(error.message, new RegExp(`\\b${CONTEXT + 1} tokens.*\\b${CONTEXT}\\b`));
        assert.equal((await post(head, "/v1/embeddings", { input: new Array(CONTEXT).fill(5) })).status, 200);
      });

      test("are refused with other dimensions, and for token ids that are none", async () => {
        const { length } = expected[0] ?? [];
        const openai = clientOf(head);
        assert.equal(
          (await openai.embeddings.create({ model, input: "x", dimensions: length ?? 0 })).data[0]?.embedding.length,
          length,
        );
        const error = await failureOf(openai.embeddings.create({ model, input: "x", dimensions: 8 }));
        assert.equal(error.param, "dimensions");
        assert.match(error.message, new RegExp(`must be ${length}`));
        const wrong = await failureOf(openai.embeddings.create({ model, input: [5, 1_000_000] }));
        assert.equal(wrong.status, 400);
      });

      test("are what the model's card names", async () => {
        const schema = z.object({ data: z.array(z.object({ capabilities: z.array(z.string()).nullable() })) });
        const { data } = schema.parse(await (await fetch(`${head.http}/v1/models`)).json());
        assert.deepEqual(data[0]?.capabilities, answers ? ["completion", "embedding"] : ["embedding"]);
      });

      test(answers ? "do not change answers" : "are all that it gives", async () => {
        const body = { prompt: "the cat", max_tokens: 12, temperature: 0 };
        if (!answers) {
          const error = await failureOf(clientOf(head).completions.create({ model, prompt: "the cat" }));
          assert.equal(error.status, 400);
          assert.match(error.message, /gives embeddings, at \/v1\/embeddings/);
          return;
        }
        const alone = await complete(head, { ...body, cache_prompt: false });
        const openai = clientOf(ring.at(-1) ?? head);
        const [together, ...embedded] = await Promise.all([
          Promise.all([0, 1, 2].map(() => complete(head, { ...body, cache_prompt: false }))),
          ...[0, 1, 2].map(() => openai.embeddings.create({ model, input: [...TEXTS, ...TEXTS] })),
        ]);
        for (const answer of together) assertSameAnswer(answer, alone, "beside texts");
        for (const { data } of embedded) {
          for (const [index, { embedding }] of data.entries()) {
            assertClose(embedding, unit(expected[index % TEXTS.length] ?? []), ROUNDED, `text ${index} beside answers`);
          }
        }
        await eventually(async () => assert.equal(await busySlots(head), 0));
      });
    });
  }
}

describe("a client that hangs up", () => {
  let head: NodeProcess;
  before(async () => {
    const [first] = await startRing(1, tinyModel(), ["--ctx", "256", "--slots", "2"]);
    assert.ok(first !== undefined);
    head = first;
  });
  after(() => head.stop());

  test("frees its slots", async () => {
    const gone = new AbortController();
    const input = Array.from({ length: 2000 }, () => new Array<number>(250).fill(7));
    const asked = post(head, "/v1/embeddings", { input }, gone.signal);
    await eventually(async () => assert.ok((await busySlots(head)) > 0));
    gone.abort();
    await assert.rejects(asked);
    await eventually(async () => assert.equal(await busySlots(head), 0));
  });

  test("an answer is not kept waiting by another's many texts", async () => {
    const gone = new AbortController();
    const input = Array.from({ length: 2000 }, () => new Array<number>(250).fill(7));
    const asked = post(head, "/v1/embeddings", { input }, gone.signal);
    await eventually(async () => assert.ok((await busySlots(head)) > 0));
    const answer = await complete(head, { prompt: [5, 6, 7], max_tokens: 8, temperature: 0, ignore_eos: true });
    assert.equal(answer.completionTokens, 8);
    assert.ok((await busySlots(head)) > 0, "the texts are still being embedded");
    gone.abort();
    await assert.rejects(asked);
  });
});
