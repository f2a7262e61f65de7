import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseMessages } from "../../src/api/anthropic/request.js";
import { parseJsonBody } from "../../src/api/json-body.js";
import { parseChat } from "../../src/api/schema/chat.js";
import { parseResponses } from "../../src/api/schema/responses.js";

const messages = [{ role: "user", content: "Hi" }];
const impossible = { type: "object", properties: { a: { type: "integer", minimum: 1.5, maximum: 1.6 } } };
const unheld = { type: "object", properties: { a: { type: "number", multipleOf: 2 } } };
const tool = (parameters: object, more: object = {}) => ({
  type: "function",
  function: { name: "f", parameters, ...more },
});
const format = (schema: object, strict?: boolean) => ({
  type: "json_schema",
  json_schema: { name: "n", schema, strict },
});

describe("a schema that cannot be kept", () => {
  test("is refused under the name that the API has for it", () => {
    const input = "Hi";
    const cases: readonly (readonly [() => unknown, string])[] = [
      [() => parseChat({ messages, response_format: format(impossible) }), "response_format"],
      [() => parseChat({ messages, json_schema: impossible }), "json_schema"],
      [() => parseChat({ messages, tools: [tool({}), tool(impossible)] }), "tools[1].function.parameters"],
      [
        () => parseResponses({ input, text: { format: { type: "json_schema", name: "n", schema: impossible } } }),
        "text.format.schema",
      ],
      [
        () => parseResponses({ input, tools: [{ type: "function", name: "f", parameters: impossible }] }),
        "tools[0].parameters",
      ],
      [
        () => parseMessages({ messages, max_tokens: 5, tools: [{ name: "f", input_schema: impossible }] }),
        "tools[0].input_schema",
      ],
      [
        () =>
          parseMessages({
            messages,
            max_tokens: 5,
            output_config: { format: { type: "json_schema", schema: impossible } },
          }),
        "output_config.format.schema",
      ],
    ];
    for (const [parse, param] of cases) {
      assert.throws(parse, { code: "invalid_argument", param, message: /properties\.a\.minimum/ });
    }
  });

  test("is refused for a keyword only when it is strict", () => {
    parseChat({ messages, response_format: format(unheld), tools: [tool(unheld)] });
    assert.throws(() => parseChat({ messages, response_format: format(unheld, true) }), {
      code: "unsupported",
      param: "response_format",
      message: /properties\.a\.multipleOf/,
    });
    assert.throws(() => parseChat({ messages, tools: [tool(unheld, { strict: true })] }), { code: "unsupported" });
  });
});

describe("requests that would keep the node busy", () => {
  test("are refused before a template is filled", () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`p${at}`, { type: "string" }]));
    const wide = tool({ type: "object", properties: many });
    const refused = { code: "invalid_argument", param: "tools" };
    assert.throws(() => parseChat({ messages, tools: Array(129).fill(tool({})) }), refused);
    assert.throws(() => parseChat({ messages, tools: Array(80).fill(wide) }), {
      ...refused,
      message: /send fewer tools/,
    });
    const long = tool({}, { description: "x".repeat(1_000_001) });
    assert.throws(() => parseChat({ messages, tools: [long] }), { ...refused, message: /characters together/ });
  });
});

describe("odd values", () => {
  test("17 stop strings are told the limit", () => {
    assert.throws(() => parseChat({ messages, stop: Array(17).fill("a") }), { param: "stop", message: /at most 16/ });
  });

  test("a token id beyond 31 bits is none", () => {
    const refused = { code: "invalid_argument", message: /token ids/ };
    assert.throws(() => parseChat({ messages, logit_bias: { 9999999999: 1 } }), refused);
  });

  test("a seed may be any whole number", () => {
    assert.equal(parseChat({ messages, seed: 2 ** 53 + 2 }).sampling.seed, 2);
    assert.throws(() => parseChat({ messages, seed: 1.5 }), { param: "seed" });
  });

  test("half of a surrogate pair is no text", () => {
    const body = (text: string) => Buffer.from(`{"messages": [{"content": "${text}"}]}`);
    assert.throws(() => parseJsonBody(body("\\ud800")), { message: /surrogate/ });
    assert.deepEqual(parseJsonBody(body("\\ud83d\\ude00")), { messages: [{ content: "😀" }] });
  });
});
