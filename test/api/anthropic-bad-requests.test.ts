import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { MODEL, withApi } from "./api-under-test.js";

const errorSchema = z.strictObject({
  type: z.literal("error"),
  error: z.strictObject({ type: z.string(), message: z.string() }),
  request_id: z.string(),
});

const QUESTION = { model: MODEL, max_tokens: 8, messages: [{ role: "user", content: "Hello" }] };
const WEATHER = { name: "weather", input_schema: { type: "object" } };

const ask = (fields: object): object => ({ ...QUESTION, ...fields });
const say = (...blocks: unknown[]): object => ask({ messages: [{ role: "user", content: blocks }] });

const BAD_BODIES: readonly (readonly [what: string, body: unknown, message: RegExp])[] = [
  ["an array", [], /an object for the request body but received an array/],
  ["broken JSON", "{", /not valid JSON/],
  ["deep JSON", `{"messages":${"[".repeat(200)}${"]".repeat(200)}}`, /deeper than/],
  ["a model number", ask({ model: 4 }), /a string for model but received 4/],
  ["no max_tokens", { ...QUESTION, max_tokens: undefined }, /a number for max_tokens but received nothing/],
  ["max_tokens of 0", ask({ max_tokens: 0 }), /at least 1 for max_tokens but received 0/],
  ["max_tokens as text", ask({ max_tokens: "8" }), /for max_tokens but received "8"/],
  ["no messages", { ...QUESTION, messages: undefined }, /an array for messages but received nothing/],
  ["empty messages", ask({ messages: [] }), /at least 1 element.* for messages/],
  ["a strange role", ask({ messages: [{ role: "tool", content: "x" }] }), /messages\[0\]\.role but received "tool"/],
  ["content a number", ask({ messages: [{ role: "user", content: 5 }] }), /content blocks for messages\[0\]\.content/],
  ["no blocks", say(), /content blocks for messages\[0\]\.content but received an array of 0/],
  ["a block as text", say("hi"), /messages\[0\]\.content\[0\]/],
  [
    "an image",
    say({ type: "image", source: {} }),
    /text only\) for messages\[0\]\.content\[0\]\.type but received "image"/,
  ],
  [
    "a document",
    say({ type: "text", text: "a" }, { type: "document" }),
    /text only\) for messages\[0\]\.content\[1\]\.type/,
  ],
  ["a text without text", say({ type: "text" }), /a string for messages\[0\]\.content\[0\]\.text/],
  ["a call of the user", say({ type: "tool_use", id: "a", name: "b", input: {} }), /the role "user" can have/],
  ["a result without call", say({ type: "tool_result", content: "x" }), /tool_use_id but received nothing/],
  [
    "a picture as result",
    say({ type: "tool_result", tool_use_id: "a", content: [{ type: "image" }] }),
    /content\[0\]\.content\[0\]\.type but received "image"/,
  ],
  [
    "input as text",
    ask({ messages: [{ role: "assistant", content: [{ type: "tool_use", id: "a", name: "b", input: "{}" }] }] }),
    /an object for messages\[0\]\.content\[0\]\.input/,
  ],
  ["system a number", ask({ system: 7 }), /text blocks for system but received 7/],
  ["system with an image", ask({ system: [{ type: "image" }] }), /system\[0\]\.type but received "image"/],
  ["stop_sequences as a number", ask({ stop_sequences: 4 }), /for stop_sequences but received 4/],
  [
    "10,000 stop sequences",
    ask({ stop_sequences: Array(10_000).fill("a") }),
    /for stop_sequences but received an array/,
  ],
  ["a hot temperature", ask({ temperature: "hot" }), /a number for temperature but received "hot"/],
  ["top_p of 2", ask({ top_p: 2 }), /at most 1 for top_p but received 2/],
  ["a broken top_k", ask({ top_k: 1.5 }), /a whole number for top_k but received 1\.5/],
  ["stream as text", ask({ stream: "yes" }), /true or false for stream but received "yes"/],
  ["metadata as text", ask({ metadata: "me" }), /an object for metadata/],
  ["thinking as text", ask({ thinking: "much" }), /for thinking but received "much"/],
  ["a strange thinking", ask({ thinking: { type: "deep" } }), /"adaptive" or "disabled" for thinking\.type/],
  ["tools as an object", ask({ tools: {} }), /an array for tools/],
  ["a nameless tool", ask({ tools: [{ input_schema: {} }] }), /a string for tools\[0\]\.name/],
  ["a tool without schema", ask({ tools: [{ name: "a" }] }), /an object for tools\[0\]\.input_schema/],
  [
    "a tool of Anthropic's",
    ask({ tools: [{ type: "web_search_20250305", name: "web_search" }] }),
    /tool of your own.* for tools\[0\]\.type but received "web_search_20250305"/,
  ],
  ["a choice as text", ask({ tools: [WEATHER], tool_choice: "auto" }), /for tool_choice but received "auto"/],
  ["a choice without tools", ask({ tool_choice: { type: "any" } }), /no tools/],
  [
    "a tool that is not there",
    ask({ tools: [WEATHER], tool_choice: { type: "tool", name: "b" } }),
    /not among tools \(weather\)/,
  ],
  ["MCP servers", ask({ mcp_servers: [{ url: "x" }] }), /mcp_servers is not supported/],
  ["a container", ask({ container: "c" }), /container is not supported/],
  [
    "an answer format without schema",
    ask({ output_config: { format: { type: "json_schema" } } }),
    /an object for output_config\.format\.schema/,
  ],
];

describe("a bad request for messages", () => {
  test("is refused in Anthropic's shape, naming the field, and begins nothing", async () => {
    await withApi(async ({ post, inference }) => {
      for (const [what, body, message] of BAD_BODIES) {
        const response = await post("/v1/messages", body);
        const { error, request_id } = errorSchema.parse(await response.json());
        assert.equal(response.status, 400, what);
        assert.equal(error.type, "invalid_request_error", what);
        assert.match(error.message, message, what);
        assert.equal(response.headers.get("request-id"), request_id, what);
      }
      assert.equal(inference.requests.length, 0);
    });
  });

  test("is refused in the same shape where no route is reached", async () => {
    await withApi(
      async ({ post, url }) => {
        const refused = async (response: Response): Promise<readonly [number, string]> => [
          response.status,
          errorSchema.parse(await response.json()).error.type,
        ];
        assert.deepEqual(await refused(await fetch(`${url}/v1/messages`)), [405, "invalid_request_error"]);
        assert.deepEqual(await refused(await post("/v1/messages/batches", {})), [404, "not_found_error"]);
        const large = JSON.stringify({ ...QUESTION, system: "x".repeat(2000) });
        assert.deepEqual(await refused(await post("/v1/messages", large)), [413, "request_too_large"]);
        const asText = await fetch(`${url}/v1/messages?beta=true`, { method: "POST", body: "{}" });
        assert.deepEqual(await refused(asText), [415, "invalid_request_error"]);
      },
      { bodyLimitBytes: 1000 },
    );
  });

  test("counts no tokens of what could not be asked", async () => {
    await withApi(async ({ post, inference }) => {
      const response = await post("/v1/messages/count_tokens", { messages: [] });
      assert.equal(response.status, 400);
      assert.match(errorSchema.parse(await response.json()).error.message, /messages/);
      assert.equal(inference.tokenizations.length, 0);
    });
  });
});
