import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { CONTEXT, writeParityModel } from "../parity/models.js";
import { post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";
import { busySlots } from "../support/ring-load.js";

const directory = mkdtempSync(join(tmpdir(), "exo-native-grammars-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

const errorSchema = z.object({
  error: z.object({ message: z.string(), type: z.string(), param: z.string().nullable(), code: z.string() }),
});

const many = (count: number, make: (index: number) => readonly [string, unknown]) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => make(index)));
const nested = (levels: number): object => (levels === 0 ? {} : { type: "array", items: nested(levels - 1) });

/** Schemas that nothing can match, that mean nothing, or that would take too long to follow. */
const REFUSED_SCHEMAS: Readonly<Record<string, object>> = {
  "a string longer than it may be": { type: "string", minLength: 5, maxLength: 2 },
  "a list longer than it may be": { type: "array", items: { type: "boolean" }, minItems: 5, maxItems: 2 },
  "a type of no kind": { type: "nonsense" },
  "a reference to nothing": { $ref: "#/nowhere" },
  "a broken pattern": { type: "string", pattern: "^(((($" },
  "too many optional properties": { type: "object", properties: many(1000, (at) => [`p${at}`, { type: "null" }]) },
  "too many values": { enum: Array.from({ length: 50_000 }, (_, at) => `value ${at}`) },
  "too many patterns": { anyOf: Array.from({ length: 300 }, (_, at) => ({ type: "string", pattern: `^${at}$` })) },
  "a long pattern": { type: "string", pattern: `^${"(a|b)".repeat(10_000)}$` },
  "a long name": { type: "object", properties: { ["ä".repeat(100_000)]: {} } },
};

/** Odd schemas: whether they can be followed is llama-common's to say, but nothing may hang or break. */
const ODD_SCHEMAS: Readonly<Record<string, object>> = {
  "a number that is too small and too large": { type: "integer", minimum: 5, maximum: 3 },
  "one of nothing": { enum: [] },
  "nothing at all": { not: {} },
  itself: { $ref: "#" },
  "itself, with a choice": { anyOf: [{ $ref: "#" }, { type: "null" }] },
  "two things at once": { allOf: [{ type: "string" }, { type: "number" }] },
  "as long as wanted": { type: "string", maxLength: 2_000_000_000 },
  "a deep list": nested(40),
  "a schema elsewhere": { $ref: "https://127.0.0.1:1/schema.json" },
  "numbers at the edge": { type: "integer", minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 },
  "numbers beyond the edge": { type: "integer", minimum: -1e300, maximum: 1e300 },
  "repetition within repetition": { type: "string", pattern: "^((a{1000}){1000}){1000}$" },
  "many required properties": {
    type: "object",
    properties: many(500, (at) => [`p${at}`, { type: "boolean" }]),
    required: Array.from({ length: 500 }, (_, at) => `p${at}`),
  },
  "as many optional properties as are allowed": {
    type: "object",
    properties: many(255, (at) => [`p${at}`, { type: "boolean" }]),
    additionalProperties: false,
  },
  "properties of odd names": { type: "object", properties: { __proto: {}, "": {}, "\u0000": {}, '"\\\n': {} } },
};

const REFUSED_GRAMMARS: Readonly<Record<string, string>> = {
  "more than there may be": 'root ::= "a"{5,2}',
  "parentheses without end": `root ::= ${"(".repeat(1_000_000)}`,
  "rules without end": Array.from({ length: 100_000 }, (_, at) => `r${at} ::= r${at + 1}`).join("\n"),
  "a choice without end": `root ::= "a"${'|"a"'.repeat(100_000)}`,
  "a rule that begins with itself": 'root ::= root "a"',
  "a rule that is not there": "root ::= nowhere",
  "no rule": "hello",
  "no root": 'tree ::= "a"',
  "repetition within repetition": 'root ::= ((("a"{2000}){2000}){2000}){2000}',
};

/** As large as is allowed. */
const LARGE_GRAMMARS: Readonly<Record<string, string>> = {
  "rules that begin with each other": `root ::= r0\n${Array.from({ length: 16_000 }, (_, at) => `r${at} ::= r${at + 1}`).join("\n")}\nr16000 ::= "a"`,
  "parentheses in each other": `root ::= ${"(".repeat(250)}"a"${")".repeat(250)}`,
  "many alternatives": `root ::= ("b"${Array.from({ length: 8_000 }, (_, at) => `|"a${at}"`).join("")})+`,
};

describe("grammars and schemas that cannot be followed", () => {
  let node: NodeProcess;

  before(async () => {
    const model = writeParityModel(directory, "tools");
    node = await (
      await NodeProcess.start({
        name: "alone",
        args: [model, "--ctx", String(CONTEXT), "--slots", "2", "--threads", "1"],
      })
    ).ready();
  });
  after(async () => {
    assert.equal(await node.stop(), 0);
  });

  const messages = [{ role: "user", content: "Hello" }];
  const chat = (schema: object) => ({ messages, response_format: { type: "json_schema", json_schema: { schema } } });
  const called = (schema: object) => ({
    messages,
    tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: { x: schema } } } }],
    tool_choice: "required",
  });
  const asked: readonly (readonly [string, (schema: object) => object])[] = [
    ["/v1/chat/completions", chat],
    ["/v1/completions", (schema) => ({ prompt: "Hello", json_schema: schema })],
    ["/v1/chat/completions", called],
    ["/v1/responses", (schema) => ({ input: "Hello", text: { format: { type: "json_schema", schema } } })],
  ];

  async function refusal(path: string, body: object): Promise<z.infer<typeof errorSchema>["error"] | null> {
    const response = await post(node, path, { max_tokens: path === "/v1/responses" ? null : 8, ...body });
    const answer: unknown = await response.json();
    if (response.status === 200) return null;
    const { error } = errorSchema.parse(answer);
    assert.equal(response.status, 400, error.message);
    assert.equal(error.type, "invalid_request_error");
    return error;
  }

  const limited = (path: string) => (path === "/v1/responses" ? { max_output_tokens: 8 } : {});

  for (const [name, schema] of Object.entries(REFUSED_SCHEMAS)) {
    test(`${name} is refused as the caller's mistake`, async () => {
      for (const [path, bodyOf] of asked) {
        const error = await refusal(path, { ...bodyOf(schema), ...limited(path) });
        assert.ok(error !== null, path);
        assert.match(error.message, /\.$/);
      }
    });
  }

  for (const [name, schema] of Object.entries(ODD_SCHEMAS)) {
    test(`${name} is followed, or refused`, async () => {
      for (const [path, bodyOf] of asked) await refusal(path, { ...bodyOf(schema), ...limited(path) });
    });
  }

  for (const [name, grammar] of Object.entries(REFUSED_GRAMMARS)) {
    test(`a grammar of ${name} is refused`, async () => {
      for (const [path, body] of [
        ["/v1/completions", { prompt: "Hello" }],
        ["/v1/chat/completions", { messages }],
      ] as const) {
        const error = await refusal(path, { ...body, grammar });
        assert.equal(error?.param, "grammar", path);
      }
    });
  }

  for (const [name, grammar] of Object.entries(LARGE_GRAMMARS)) {
    test(`a grammar of ${name} is followed`, async () => {
      assert.equal(await refusal("/v1/completions", { prompt: "Hello", grammar, temperature: 0 }), null);
    });
  }

  test("no slot is left busy, and the node answers as before", async () => {
    await eventually(async () => assert.equal(await busySlots(node), 0));
    const response = await post(node, "/v1/completions", { prompt: "Hello", max_tokens: 4 });
    assert.equal(response.status, 200);
  });
});
