import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { z } from "zod";
import { chatSchema } from "../../src/api/schema/chat.js";
import { completionSchema } from "../../src/api/schema/completion.js";
import { responsesSchema } from "../../src/api/schema/responses.js";
import { errorOf, QUESTION, withApi } from "./api-under-test.js";

/** Values of every kind, and at the edges: whichever a field does not take must be refused. */
const VALUES: readonly unknown[] = [
  true,
  "",
  "text",
  "x".repeat(100_000),
  0,
  -1,
  -2,
  1.5,
  17,
  129,
  1e9,
  2 ** 53,
  -1e300,
  1e300,
  [],
  {},
  [[]],
  [{}],
  [null],
  [1, 2],
  ["a", 1],
  { a: 1 },
  { 1: "x" },
  { type: 7 },
  { type: "nothing" },
  { include_usage: 1 },
  { format: {} },
  { effort: 1 },
];

interface Route {
  readonly path: string;
  readonly schema: z.ZodObject;
  readonly base: object;
  /** Fields that are read by hand, not by the schema. */
  readonly byHand: Readonly<Record<string, readonly unknown[]>>;
}

const ROUTES: readonly Route[] = [
  { path: "/v1/chat/completions", schema: chatSchema, base: QUESTION, byHand: {} },
  {
    path: "/v1/completions",
    schema: completionSchema,
    base: { prompt: "Once" },
    byHand: { prompt: [null, 5, {}, [], [{}], [-1], [1.5], ["a", 1], [[]], [["a"]]] },
  },
  { path: "/v1/responses", schema: responsesSchema, base: { input: "Once" }, byHand: {} },
];

describe("each field wrong in turn", () => {
  for (const { path, schema, base, byHand } of ROUTES) {
    test(path, async () => {
      await withApi(async ({ post, inference }) => {
        let refused = 0;
        for (const [field, type] of Object.entries(schema.shape)) {
          const wrong = VALUES.filter((value) => !type.safeParse(value).success);
          assert.ok(wrong.length >= 5, `${field} takes nearly everything`);
          for (const value of [...wrong]) refused += await refuse(field, value);
        }
        for (const [field, values] of Object.entries(byHand)) {
          for (const value of values) refused += await refuse(field, value);
        }
        assert.ok(refused > 300, `${refused} bodies`);
        assert.equal(inference.requests.length, 0);
        assert.equal((await post(path, base)).status, 200, "the server goes on");

        async function refuse(field: string, value: unknown): Promise<1> {
          const what = `${field}: ${JSON.stringify(value)?.slice(0, 60)}`;
          const response = await post(path, { ...base, [field]: value });
          const error = await errorOf(response);
          assert.equal(response.status, 400, what);
          assert.equal(error.type, "invalid_request_error", what);
          assert.equal(error.param?.split(/[.[]/)[0], field, `${what}: ${error.message}`);
          assert.match(error.message, /^[A-Z].*\.$/s, what);
          assert.ok(error.message.length < 400, what);
          return 1;
        }
      });
    });
  }
});
