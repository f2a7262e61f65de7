import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { MODEL, withApi } from "./api-under-test.js";

const errorSchema = z.strictObject({ error: z.string() });

const CHAT = "/api/chat";
const GENERATE = "/api/generate";

const ask = (fields: object): object => ({ model: MODEL, messages: [{ role: "user", content: "Hello" }], ...fields });
const say = (message: unknown): object => ask({ messages: [message] });
const wish = (options: unknown): object => ask({ options });
const write = (fields: object): object => ({ model: MODEL, prompt: "Hello", ...fields });

const BAD_BODIES: readonly (readonly [what: string, path: string, body: unknown, message: RegExp])[] = [
  ["an array", CHAT, [], /an object for the request body but received an array/],
  ["broken JSON", CHAT, "{", /not valid JSON/],
  ["nothing", CHAT, "", /no body/],
  ["no model", CHAT, { messages: [] }, /the name of a model for model but received nothing/],
  ["a model number", CHAT, ask({ model: 4 }), /a string for model but received 4/],
  ["messages as text", CHAT, ask({ messages: "hi" }), /an array for messages but received "hi"/],
  ["a strange role", CHAT, say({ role: "boss", content: "x" }), /messages\[0\]\.role but received "boss"/],
  ["content as parts", CHAT, say({ role: "user", content: [{}] }), /a string for messages\[0\]\.content/],
  ["an image", CHAT, say({ role: "user", content: "x", images: ["aGk="] }), /images is not supported; .*text only/],
  [
    "arguments as text",
    CHAT,
    say({ role: "assistant", tool_calls: [{ function: { name: "a", arguments: "{}" } }] }),
    /an object for messages\[0\]\.tool_calls\[0\]\.function\.arguments/,
  ],
  ["stream as text", CHAT, ask({ stream: "yes" }), /true or false for stream but received "yes"/],
  ["a strange format", CHAT, ask({ format: "xml" }), /"json" or a JSON schema for format but received "xml"/],
  ["strange thinking", CHAT, ask({ think: "deep" }), /"medium" or "high" for think but received "deep"/],
  ["a strange keep_alive", CHAT, ask({ keep_alive: "soon" }), /a time such as "5m" for keep_alive but received "soon"/],
  ["keep_alive as an object", CHAT, ask({ keep_alive: {} }), /for keep_alive but received an object/],
  ["too many logprobs", CHAT, ask({ logprobs: true, top_logprobs: 21 }), /at most 20 for top_logprobs/],
  ["tools as an object", CHAT, ask({ tools: {} }), /an array for tools/],
  [
    "a nameless tool",
    CHAT,
    ask({ tools: [{ type: "function", function: {} }] }),
    /a string for tools\[0\]\.function\.name/,
  ],
  ["options as text", CHAT, wish("hot"), /an object for options but received "hot"/],
  ["a hot temperature", CHAT, wish({ temperature: "hot" }), /a number for options\.temperature but received "hot"/],
  ["top_p of 2", CHAT, wish({ top_p: 2 }), /at most 1 for options\.top_p/],
  ["min_p of -1", CHAT, wish({ min_p: -1 }), /at least 0 for options\.min_p/],
  ["a broken top_k", CHAT, wish({ top_k: 1.5 }), /a whole number for options\.top_k/],
  ["a broken seed", CHAT, wish({ seed: 0.5 }), /a whole number for options\.seed/],
  ["a broken num_predict", CHAT, wish({ num_predict: "all" }), /for options\.num_predict/],
  ["num_ctx of 0", CHAT, wish({ num_ctx: 0 }), /at least 1 for options\.num_ctx/],
  ["stop of numbers", CHAT, wish({ stop: [7] }), /a string for options\.stop\[0\]/],
  ["10,000 stop strings", CHAT, wish({ stop: Array(10_000).fill("a") }), /for options\.stop but received an array/],
  ["a penalty of 3", CHAT, wish({ presence_penalty: 3 }), /at most 2 for options\.presence_penalty/],
  ["mirostat", CHAT, wish({ mirostat: 2 }), /mirostat is not supported/],
  ["a prompt number", GENERATE, write({ prompt: 5 }), /a string for prompt but received 5/],
  ["a system number", GENERATE, write({ system: 5 }), /a string for system but received 5/],
  ["raw as text", GENERATE, write({ raw: "yes" }), /true or false for raw/],
  ["a suffix", GENERATE, write({ suffix: "}" }), /suffix is not supported/],
  ["a template", GENERATE, write({ template: "{{ .Prompt }}" }), /template is not supported; .*raw: true/],
  ["a context", GENERATE, write({ context: [1, 2] }), /context is not supported; use \/api\/chat/],
  ["images", GENERATE, write({ images: ["aGk="] }), /images is not supported/],
  ["nothing to embed", "/api/embed", { model: MODEL }, /an array of strings for input but received nothing/],
  ["numbers to embed", "/api/embed", { model: MODEL, input: [1] }, /a string for input\[0\] but received 1/],
  ["no dimensions", "/api/embed", { model: MODEL, input: "a", dimensions: 0 }, /at least 1 for dimensions/],
  ["two texts to the older route", "/api/embeddings", { model: MODEL, prompt: ["a"] }, /a string for prompt/],
  ["show without a name", "/api/show", {}, /the name of a model for model/],
  ["pull without a name", "/api/pull", { model: "" }, /the name of a model for model/],
  ["stream of a pull as text", "/api/pull", { model: "a", stream: "no" }, /true or false for stream/],
];

describe("a bad request to Ollama's routes", () => {
  test("is refused in Ollama's shape, naming the field, and begins nothing", async () => {
    await withApi(async ({ post, inference }) => {
      for (const [what, path, body, message] of BAD_BODIES) {
        const response = await post(path, body);
        const text = await response.text();
        assert.equal(response.status, 400, `${what}: ${text}`);
        assert.match(errorSchema.parse(JSON.parse(text)).error, message, what);
      }
      assert.equal(inference.requests.length, 0);
    });
  });

  test("is refused in the same shape where no route is reached", async () => {
    await withApi(
      async ({ post, url }) => {
        const refused = async (response: Response): Promise<number> => {
          errorSchema.parse(await response.json());
          return response.status;
        };
        assert.equal(await refused(await fetch(`${url}/api/chat`)), 405);
        assert.equal(await refused(await post("/api/tags", {})), 405);
        assert.equal(await refused(await post("/api/nothing", {})), 404);
        assert.equal(await refused(await post(CHAT, ask({ keep: "x".repeat(2000) }))), 413);
        assert.equal(await refused(await post("/api/show", { model: "nothing" })), 404);
        assert.equal(await refused(await fetch(`${url}/api/delete`, { method: "DELETE" })), 400);
      },
      { bodyLimitBytes: 1000 },
    );
  });

  test("asks for the key in the same shape", async () => {
    await withApi(
      async ({ url }) => {
        const response = await fetch(`${url}/api/tags`);
        assert.equal(response.status, 401);
        assert.match(errorSchema.parse(await response.json()).error, /API key/);
      },
      { apiKeys: ["key-1"] },
    );
  });

  test("may call its JSON a form, as curl does, but not from another page", async () => {
    await withApi(async ({ url, inference }) => {
      const body = JSON.stringify({ ...ask({}), stream: false });
      const send = (headers: Record<string, string>) => fetch(`${url}${CHAT}`, { method: "POST", body, headers });
      const form = { "content-type": "application/x-www-form-urlencoded" };
      assert.equal((await send(form)).status, 200);
      const refused = await send({ ...form, origin: "http://elsewhere.example" });
      assert.equal(refused.status, 403);
      assert.match(errorSchema.parse(await refused.json()).error, /--cors-origin/);
      assert.equal(inference.requests.length, 1);
    });
  });

  test("sends JSON as JSON, also from a page that was named", async () => {
    const origin = "http://elsewhere.example";
    await withApi(
      async ({ url }) => {
        const headers = { origin, "content-type": "text/plain" };
        const refused = await fetch(`${url}${CHAT}`, { method: "POST", body: "{}", headers });
        assert.equal(refused.status, 415);
        assert.match(errorSchema.parse(await refused.json()).error, /application\/json/);
      },
      { corsOrigins: [origin] },
    );
  });
});
