import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { ExoError } from "../../src/core/errors.js";
import { type ApiUnderTest, errorOf, MODEL, withApi } from "./api-under-test.js";

const client = ({ url }: ApiUnderTest): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const THIRD = Math.fround(1 / 3);

describe("the official openai client", () => {
  test("gets the same numbers as base64, which it asks for by itself, and as text", async () => {
    await withApi(async (under) => {
      const input = ["Paris", "Oslo is cold", ""];
      const openai = client(under);
      const plain = await openai.embeddings.create({ model: MODEL, input });
      const floats = await openai.embeddings.create({ model: MODEL, input, encoding_format: "float" });
      for (const answer of [plain, floats]) {
        assert.equal(answer.object, "list");
        assert.equal(answer.model, MODEL);
        assert.deepEqual(answer.usage, { prompt_tokens: 17, total_tokens: 17 });
        assert.deepEqual(
          answer.data.map(({ object, index, embedding }) => [object, index, embedding.map(Math.fround)]),
          input.map(({ length }, index) => ["embedding", index, [length, THIRD, THIRD, THIRD]]),
        );
      }
    });
  });

  test("gets base64 as such when it says so", async () => {
    await withApi(async (under) => {
      const { data } = await client(under).embeddings.create({
        model: MODEL,
        input: "Paris",
        encoding_format: "base64",
      });
      const bytes = Buffer.from(String(data[0]?.embedding), "base64");
      assert.deepEqual(
        [0, 4, 8, 12].map((at) => bytes.readFloatLE(at)),
        [5, THIRD, THIRD, THIRD],
      );
    });
  });
});

describe("POST /v1/embeddings", () => {
  test("takes text, texts, token ids and arrays of token ids", async () => {
    await withApi(async ({ post, inference }) => {
      for (const input of ["a", ["a", "b"], [1, 2, 3], [[1, 2], [3]], ["a", [7]]]) {
        assert.equal((await post("/v1/embeddings", { input })).status, 200);
      }
      assert.deepEqual(
        inference.embeddings.map(({ inputs }) => inputs),
        [["a"], ["a", "b"], [[1, 2, 3]], [[1, 2], [3]], ["a", [7]]],
      );
      assert.ok(inference.embeddings.every(({ model, normalize }) => model === MODEL && normalize));
    });
  });

  test("passes on what else is wanted of them", async () => {
    await withApi(async ({ post, inference }) => {
      const body = { model: "tiny", input: "a", dimensions: 4, embd_normalize: -1, user: "me", unknown: {} };
      assert.equal((await post("/v1/embeddings", body)).status, 200);
      const [request] = inference.embeddings;
      assert.equal(request?.dimensions, 4);
      assert.equal(request?.normalize, false);
      assert.equal(request?.model, MODEL);
    });
  });

  test("names the field that is wrong", async () => {
    await withApi(async ({ post, inference }) => {
      const wrong: readonly [object, string][] = [
        [{}, "input"],
        [{ input: null }, "input"],
        [{ input: [] }, "input"],
        [{ input: 7 }, "input"],
        [{ input: { text: "a" } }, "input"],
        [{ input: ["a", 7] }, "input[1]"],
        [{ input: [1, "a"] }, "input[1]"],
        [{ input: [1, 1.5] }, "input[1]"],
        [{ input: [-1] }, "input[0]"],
        [{ input: [[]] }, "input[0]"],
        [{ input: [[1], [2, null]] }, "input[1][1]"],
        [{ input: new Array(2049).fill("a") }, "input"],
        [{ input: "a", model: 7 }, "model"],
        [{ input: "a", encoding_format: "int8" }, "encoding_format"],
        [{ input: "a", dimensions: 0 }, "dimensions"],
        [{ input: "a", dimensions: "8" }, "dimensions"],
        [{ input: "a", embd_normalize: "l2" }, "embd_normalize"],
        [{ input: "a", embd_normalize: 0 }, "embd_normalize"],
      ];
      for (const [body, param] of wrong) {
        const response = await post("/v1/embeddings", body);
        assert.equal(response.status, 400, JSON.stringify(body).slice(0, 80));
        const error = await errorOf(response);
        assert.equal(error.param, param, error.message);
        assert.equal(error.type, "invalid_request_error");
      }
      assert.deepEqual(inference.embeddings, []);
    });
  });

  test("says in OpenAI's shape why a model gives none", async () => {
    await withApi(async ({ post, inference }) => {
      inference.embed = async () => {
        throw new ExoError("context_exceeded", "The text of input has 700 tokens, but the model …", { param: "input" });
      };
      const response = await post("/v1/embeddings", { input: "a" });
      assert.equal(response.status, 400);
      const error = await errorOf(response);
      assert.deepEqual([error.code, error.param], ["context_exceeded", "input"]);
    });
  });

  test("ends the work of a client that hangs up", async () => {
    await withApi(async ({ post, inference }) => {
      const gone = new AbortController();
      inference.embed = (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          inference.signals.push(signal);
          gone.abort();
        });
      await assert.rejects(post("/v1/embeddings", { input: "a" }, { signal: gone.signal }));
      const [signal] = inference.signals;
      assert.ok(signal !== undefined);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      assert.equal(signal.reason.code, "cancelled");
    });
  });
});

test("a model's card says what it can be asked for", async () => {
  const cards = [
    { id: "bge", created: 1, ownedBy: "exo-native", capabilities: ["embedding"] },
    { id: "later", created: 0, ownedBy: "exo-native", state: "unloaded" as const },
  ];
  await withApi(
    async ({ url }) => {
      const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { capabilities: unknown }[] };
      assert.deepEqual(
        data.map(({ capabilities }) => capabilities),
        [["embedding"], null],
      );
    },
    { models: { list: () => cards } },
  );
});
