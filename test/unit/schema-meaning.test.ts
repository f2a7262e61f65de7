import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import { checkMeaning } from "../../src/native/schema/check-schema.js";
import { forGrammar } from "../../src/native/schema/for-grammar.js";

function fault(schema: unknown, strict: boolean): string {
  try {
    checkMeaning(schema, { param: "response_format", strict });
  } catch (thrown) {
    assert.ok(thrown instanceof ExoError);
    assert.equal(thrown.param, "response_format");
    return `${thrown.code}: ${thrown.message}`;
  }
  return "";
}

const of = (value: unknown) => ({ type: "object", properties: { a: value }, additionalProperties: false });

describe("what a JSON schema asks for", () => {
  test("is refused when nothing can match it, strict or not, with the place", () => {
    const cases: readonly (readonly [unknown, string])[] = [
      [of({ type: "integer", minimum: 3, maximum: 2 }), "properties.a.minimum"],
      [of({ type: "integer", minimum: 1.5, maximum: 1.6 }), "properties.a.minimum"],
      [of({ type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 2 }), "properties.a.exclusiveMinimum"],
      [of({ type: "integer", maximum: 1e300 }), "properties.a.maximum"],
      [of({ type: "number", minimum: 3, exclusiveMaximum: 3 }), "properties.a.minimum"],
      [of({ type: "array", items: {}, minItems: 3, maxItems: 2 }), "properties.a.minItems"],
      [of({ type: "string", minLength: 3, maxLength: 2 }), "properties.a.minLength"],
      [of({ type: "string", maxLength: -1 }), "properties.a.maxLength"],
      [of({ type: ["null", "string"], pattern: "([" }), "properties.a.pattern"],
      [of({ allOf: [{ type: "string" }, { type: "integer" }] }), "properties.a.allOf"],
      [of({ allOf: [{ enum: [1] }, { enum: [2] }] }), "properties.a.allOf"],
      [of({ type: "string", enum: [1, 2] }), "properties.a.enum"],
      [of({ type: "string", const: 1 }), "properties.a.const"],
      [of({ type: "text" }), "properties.a.type"],
      [of(true), "properties.a"],
      [{ ...of({}), required: ["b"] }, '"b"'],
      [{ $ref: "#" }, "$defs"],
      [{ $ref: "#/$defs/none", $defs: {} }, "$ref"],
      [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } }, "leads back"],
      [{ $ref: "http://example.com/schema" }, "#/$defs/name"],
    ];
    for (const [schema, words] of cases) {
      for (const strict of [true, false]) {
        const message = fault(schema, strict);
        assert.match(message, /^invalid_argument: The JSON schema of response_format cannot be kept: /);
        assert.ok(message.includes(words), `${message} without ${words}`);
      }
    }
  });

  test("is refused by keyword when it is strict and grammars do not hold to it", () => {
    const cases: readonly (readonly [unknown, string])[] = [
      [of({ type: "number", minimum: 3 }), "properties.a.minimum"],
      [of({ type: "integer", multipleOf: 5 }), "properties.a.multipleOf"],
      [of({ type: "array", items: {}, uniqueItems: true }), "properties.a.uniqueItems"],
      [of({ type: "string", format: "email" }), "properties.a.format"],
      [of({ type: "string", pattern: "^(?=a)b$" }), "properties.a.pattern"],
      [of({ type: "string", pattern: "^a$", maxLength: 5 }), "properties.a.maxLength"],
      [of({ type: "string", not: { const: "x" } }), "properties.a.not"],
      [{ type: "object", properties: {}, if: {} }, "if"],
      [{ type: "object", properties: {}, patternProperties: {} }, "patternProperties"],
      [{ type: "object", properties: {}, required: ["b"] }, "required"],
      [{ minimum: 3 }, "minimum"],
      [{ $ref: "#/$defs/a", $defs: { a: of({ type: "number", maximum: 1 }) } }, "$defs.a.properties.a.maximum"],
      [{ type: "object", properties: {}, anyOf: [{ type: "object" }] }, "type"],
    ];
    for (const [schema, words] of cases) {
      const message = fault(schema, true);
      assert.match(message, /^unsupported: /, JSON.stringify(schema));
      assert.ok(message.includes(`held to ${words};`), `${message} without ${words}`);
      assert.equal(fault(schema, false), "");
    }
  });

  test("passes when a grammar holds to all of it, and notes and properties called like keywords are none", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "T",
      type: "object",
      properties: {
        minimum: { type: "string", pattern: "^\\d{5}$", description: "d", examples: ["12345"] },
        pattern: { type: ["integer", "null"], minimum: 0, exclusiveMaximum: 10 },
        day: { type: "string", format: "date" },
        list: { type: "array", items: { $ref: "#/$defs/one" }, minItems: 1, maxItems: 3, uniqueItems: false },
        pair: { type: "array", prefixItems: [{ type: "string" }, { type: "boolean" }], minItems: 2, maxItems: 2 },
        either: { anyOf: [{ type: "null" }, { type: "string", minLength: 1 }] },
      },
      required: ["minimum"],
      additionalProperties: false,
      $defs: { one: { enum: ["a", null] }, unused: { type: "number", multipleOf: 3 } },
    };
    assert.equal(fault(schema, true), "");
    assert.deepEqual(forGrammar({ type: "object", properties: { pattern: { type: "string" } } }), {
      type: "object",
      properties: { pattern: { type: "string" } },
    });
  });

  test("reaches llama-common in words that it takes", () => {
    assert.deepEqual(forGrammar(of({ type: "string", pattern: "^(?=a)b$", description: "A thing." })), {
      ...of({ type: "string", description: "A thing. Pattern: ^(?=a)b$" }),
    });
    assert.deepEqual(forGrammar(of({ allOf: [{ type: "string", maxLength: 3 }], description: "d" })), {
      ...of({ type: "string", maxLength: 3, description: "d" }),
    });
  });
});
