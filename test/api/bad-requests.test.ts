import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { errorOf, QUESTION, withApi } from "./api-under-test.js";

const CHAT = "/v1/chat/completions";

interface BadBody {
  readonly name: string;
  readonly path?: string;
  readonly body: unknown;
  readonly code?: string;
  readonly param: string | null;
  readonly message: RegExp;
}

const ask = (fields: object): object => ({ ...QUESTION, ...fields });
const say = (message: unknown): object => ({ messages: [message] });

const BAD_BODIES: readonly BadBody[] = [
  { name: "an array", body: [], param: null, message: /an object for the request body but received an array/ },
  { name: "a number", body: "17", param: null, message: /an object for the request body but received 17/ },
  { name: "no messages", body: {}, param: "messages", message: /an array for messages but received nothing/ },
  { name: "empty messages", body: { messages: [] }, param: "messages", message: /at least 1 element/ },
  { name: "messages as text", body: { messages: "hi" }, param: "messages", message: /an array .*received "hi"/ },
  { name: "a message as text", body: say("hi"), param: "messages[0]", message: /an object/ },
  { name: "a strange role", body: say({ role: "boss", content: "x" }), param: "messages[0].role", message: /"boss"/ },
  { name: "content missing", body: say({ role: "user" }), param: "messages[0].content", message: /received nothing/ },
  {
    name: "content a number",
    body: say({ role: "user", content: 5 }),
    param: "messages[0].content",
    message: /received 5/,
  },
  {
    name: "a part without text",
    body: say({ role: "user", content: [{ type: "text" }] }),
    param: "messages[0].content[0].text",
    message: /a string/,
  },
  {
    name: "an image",
    body: say({ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }),
    code: "unsupported",
    param: "messages[0].content[0].type",
    message: /reads text only.*image_url/,
  },
  { name: "a hot temperature", body: ask({ temperature: "hot" }), param: "temperature", message: /a number .* "hot"/ },
  { name: "a negative temperature", body: ask({ temperature: -1 }), param: "temperature", message: /at least 0.*-1/ },
  { name: "top_p of 2", body: ask({ top_p: 2 }), param: "top_p", message: /at most 1 .*received 2/ },
  { name: "a broken top_k", body: ask({ top_k: 1.5 }), param: "top_k", message: /a whole number .*1\.5/ },
  { name: "no tokens", body: ask({ max_tokens: 0 }), param: "max_tokens", message: /at least 1.*received 0/ },
  { name: "stop of numbers", body: ask({ stop: ["a", 7] }), param: "stop[1]", message: /a string .*received 7/ },
  { name: "10,000 stops", body: ask({ stop: Array(10_000).fill("a") }), param: "stop", message: /array|string/ },
  { name: "too many stops", body: ask({ stop: Array(17).fill("a") }), param: "stop", message: /array|string/ },
  { name: "no time", body: ask({ timeout: 0 }), param: "timeout", message: /greater than 0.*received 0/ },
  { name: "too much time", body: ask({ timeout: 1e6 }), param: "timeout", message: /at most 86400/ },
  { name: "n of 0", body: ask({ n: 0 }), param: "n", message: /at least 1/ },
  { name: "stream as text", body: ask({ stream: "yes" }), param: "stream", message: /true or false .*"yes"/ },
  {
    name: "a bias by word",
    body: ask({ logit_bias: { cat: 1 } }),
    param: "logit_bias.cat",
    message: /token ids as keys/,
  },
  { name: "a bias of 500", body: ask({ logit_bias: { 5: 500 } }), param: "logit_bias.5", message: /at most 100/ },
  { name: "top_logprobs alone", body: ask({ top_logprobs: 3 }), param: "top_logprobs", message: /needs logprobs/ },
  {
    name: "an unknown format",
    body: ask({ response_format: { type: "xml" } }),
    param: "response_format.type",
    message: /"xml"/,
  },
  {
    name: "a format without schema",
    body: ask({ response_format: { type: "json_schema", json_schema: { name: "x" } } }),
    param: "response_format.json_schema.schema",
    message: /an object .*nothing/,
  },
  {
    name: "a grammar and a schema",
    body: ask({ grammar: "x", json_schema: {} }),
    param: "grammar",
    message: /not both/,
  },
  {
    name: "a nameless tool",
    body: ask({ tools: [{ type: "function", function: {} }] }),
    param: "tools[0].function.name",
    message: /a string/,
  },
  {
    name: "a tool choice without tools",
    body: ask({ tool_choice: "required" }),
    param: "tool_choice",
    message: /no tools/,
  },
  {
    name: "a tool that is not there",
    body: ask({
      tools: [{ type: "function", function: { name: "a" } }],
      tool_choice: { type: "function", function: { name: "b" } },
    }),
    param: "tool_choice.function.name",
    message: /not among tools \(a\)/,
  },
  {
    name: "allowed tools that are not there",
    body: ask({
      tools: [{ type: "function", function: { name: "a" } }],
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "b" } }] },
      },
    }),
    param: "tool_choice.allowed_tools.tools",
    message: /not among tools \(a\)/,
  },
  {
    name: "a custom tool",
    body: ask({ tools: [{ type: "custom", custom: { name: "a" } }] }),
    param: "tools[0].type",
    message: /"function"/,
  },
  {
    name: "reasoning in the text",
    body: ask({ reasoning_format: "none" }),
    code: "unsupported",
    param: "reasoning_format",
    message: /a field of its own/,
  },
  { name: "functions", body: ask({ functions: [{}] }), code: "unsupported", param: "functions", message: /use tools/ },
  {
    name: "mirostat",
    body: ask({ mirostat: 2 }),
    code: "unsupported",
    param: "mirostat",
    message: /mirostat is not supported/,
  },
  { name: "a model number", body: ask({ model: 4 }), param: "model", message: /a string .*received 4/ },
  { name: "a prompt missing", path: "/v1/completions", body: {}, param: "prompt", message: /token ids for prompt/ },
  {
    name: "a prompt of objects",
    path: "/v1/completions",
    body: { prompt: [{}] },
    param: "prompt[0]",
    message: /a string/,
  },
  {
    name: "a broken token",
    path: "/v1/completions",
    body: { prompt: [1, -2] },
    param: "prompt[1]",
    message: /token id/,
  },
  {
    name: "suffix",
    path: "/v1/completions",
    body: { prompt: "a", suffix: "b" },
    code: "unsupported",
    param: "suffix",
    message: /suffix/,
  },
  {
    name: "too many answers",
    path: "/v1/completions",
    body: { prompt: Array(100).fill("a"), n: 2 },
    param: "prompt",
    message: /200 answers .*at most 128/,
  },
  { name: "nothing to tokenize", path: "/tokenize", body: {}, param: "content", message: /a string for content/ },
  { name: "a token of text", path: "/detokenize", body: { tokens: ["a"] }, param: "tokens[0]", message: /a token id/ },
  { name: "no messages for a template", path: "/apply-template", body: {}, param: "messages", message: /an array/ },
];

/** What clients of OpenAI send by default, or without meaning much by it. */
const HARMLESS = {
  store: true,
  metadata: { a: "b" },
  service_tier: "auto",
  safety_identifier: "s",
  prompt_cache_key: "k",
  prompt_cache_retention: "24h",
  verbosity: "low",
  stream_options: { include_obfuscation: false },
  modalities: ["text"],
};

describe("a body that is wrong", () => {
  test("is refused in a sentence that names the field, and the server goes on", async () => {
    await withApi(async ({ post, inference }) => {
      for (const { name, path = CHAT, body, code = "invalid_argument", param, message } of BAD_BODIES) {
        const response = await post(path, body);
        const error = await errorOf(response);
        assert.equal(response.status, 400, name);
        assert.deepEqual([error.code, error.param, error.type], [code, param, "invalid_request_error"], name);
        assert.match(error.message, message, name);
        assert.match(error.message, /\.$/, name);
      }
      assert.equal(inference.requests.length, 0);
      assert.equal((await post(CHAT, QUESTION)).status, 200);
    });
  });

  test("is refused cheaply, however many faults it has", async () => {
    await withApi(async ({ post }) => {
      const many = Array(500_000).fill(true);
      for (const [path, body, param] of [
        [CHAT, { messages: Array(9_000).fill(1) }, "messages[0]"],
        [CHAT, { messages: many }, "messages"],
        [CHAT, say({ role: "user", content: many }), "messages[0].content"],
        [CHAT, ask({ logit_bias: Object.fromEntries(many.map((_, index) => [`k${index}`, 1])) }), "logit_bias.k0"],
        ["/v1/completions", { prompt: [1, ...many] }, "prompt[1]"],
        ["/detokenize", { tokens: many }, "tokens[0]"],
      ] as const) {
        const error = await errorOf(await post(path, body));
        assert.equal(error.param, param);
      }
    });
  });

  test("is refused whatever its size and depth, and the server goes on", async () => {
    await withApi(async ({ post }) => {
      const deep = (levels: number): string => `{"messages": ${"[".repeat(levels)}${"]".repeat(levels)}}`;
      const bodies: readonly (readonly [string, number, RegExp])[] = [
        [deep(10_000), 400, /nests deeper/],
        [deep(2_000_000), 400, /nests deeper/],
        [`{"messages": ${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`, 400, /nests deeper/],
        [JSON.stringify(ask({ stop: Array(10_000).fill("stop here") })), 400, /stop/],
        [JSON.stringify({ messages: "x".repeat(10 * 2 ** 20) }), 400, /characters/],
        [JSON.stringify({ messages: [{ role: "x".repeat(10 * 2 ** 20) }] }), 400, /messages\[0\]\.role/],
        [`{"messages": [${"x".repeat(10 * 2 ** 20)}`, 400, /not valid JSON/],
        [JSON.stringify({ messages: "x".repeat(17 * 2 ** 20) }), 413, /larger than/],
      ];
      for (const [body, status, message] of bodies) {
        const response = await post(CHAT, body);
        assert.equal(response.status, status);
        assert.match((await errorOf(response)).message, message);
      }
      assert.equal((await post(CHAT, QUESTION)).status, 200);
    });
  });

  test("passes when it only holds fields that nobody knows, or nulls", async () => {
    await withApi(async ({ post, inference }) => {
      const nulls = { temperature: null, stop: null, tools: null, response_format: null, n: null, suffix: null };
      const body = ask({ ...nulls, frobnicate: { deep: [1] }, user: "u", ...HARMLESS });
      assert.equal((await post(CHAT, body)).status, 200);
      assert.deepEqual(inference.requests[0]?.sampling, {});
    });
  });
});

function postBytes(url: string, bytes: readonly number[]): Promise<Response> {
  return fetch(url + CHAT, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Uint8Array.from(bytes),
  });
}

describe("an HTTP request that is wrong", () => {
  test("gets an error in OpenAI's shape", async () => {
    await withApi(
      async ({ url, post }) => {
        const cases: readonly (readonly [Promise<Response>, number, string, RegExp])[] = [
          [post(CHAT, "{'a': 1}"), 400, "malformed_json", /not valid JSON.*position 1/],
          [post(CHAT, ""), 400, "malformed_json", /no body/],
          [postBytes(url, [0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 400, "malformed_json", /not valid UTF-8/],
          [postBytes(url, [0x22, 0xe2, 0x82]), 400, "malformed_json", /not valid UTF-8/],
          [post(CHAT, `${"[".repeat(500)}${"]".repeat(500)}`), 400, "malformed_json", /deeper than 96 levels/],
          [post(CHAT, '{"messages": [{"__proto__": {}}]}'), 400, "malformed_json", /__proto__/],
          [post(CHAT, { x: "y".repeat(5000) }), 413, "body_too_large", /4096 bytes/],
          [
            post(CHAT, "a=b", { headers: { "content-type": "text/plain" } }),
            415,
            "unsupported_media_type",
            /application\/json/,
          ],
          [fetch(url + CHAT), 405, "method_not_allowed", /GET is not allowed.*use POST/],
          [fetch(`${url}/v1/models/x`, { method: "DELETE" }), 405, "method_not_allowed", /use GET, HEAD/],
          [fetch(`${url}/`, { method: "POST" }), 405, "method_not_allowed", /use GET, HEAD/],
          [fetch(`${url}/v2/nothing?key=secret`), 404, "route_not_found", /no route GET "\/v2\/nothing" /],
          [fetch(`${url}/..%2f..%2fpackage.json`), 404, "route_not_found", /no route/],
          [fetch(`${url}/%`), 400, "malformed_request", /malformed/],
          [fetch(`${url}/tsconfig.json`), 404, "route_not_found", /no route/],
        ];
        for (const [answer, status, code, message] of cases) {
          const response = await answer;
          const error = await errorOf(response);
          assert.deepEqual([response.status, error.code, error.type], [status, code, "invalid_request_error"]);
          assert.match(error.message, message);
        }
        assert.equal((await fetch(url + CHAT)).headers.get("allow"), "POST");
      },
      { bodyLimitBytes: 4096 },
    );
  });

  test("may not even be HTTP", async () => {
    await withApi(async ({ api }) => {
      const socket = connect(api.address?.port ?? 0, "127.0.0.1");
      socket.write("\u0016\u0003\u0001 hello\r\n\r\n");
      const [answer] = await once(socket, "data");
      assert.match(String(answer), /^HTTP\/1\.1 400 Bad Request\r\n.*"code":"malformed_request"/s);
      socket.destroy();
    });
  });
});
