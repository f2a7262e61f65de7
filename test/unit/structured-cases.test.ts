import assert from "node:assert/strict";
import { test } from "node:test";
import { structuredCases } from "../structured/cases.js";

test("100 greedy and 100 sampled cases of a schema, and as many of tools, are 400 different requests", () => {
  const bodies = structuredCases(200).map(({ body: { seed: _, ...body } }) => JSON.stringify(body));
  assert.equal(bodies.length, 400);
  assert.equal(new Set(bodies).size, 400);
});
