import assert from "node:assert/strict";
import { test } from "node:test";
import { NODE_EXIT } from "../../src/core/exit-codes.js";
import { post } from "../support/completions.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

/** One micro-batch of so many rows keeps one thread busy for half a minute and more. */
const ROWS = 8192;
const model = tinyModel({ width: 512, contextLength: ROWS });

test("a thread that does not come back ends its node with a code of its own, and the client is told before", async (t) => {
  const node = await NodeProcess.start({
    name: "stuck",
    args: [
      model,
      "--threads",
      "1",
      "--ubatch",
      String(ROWS),
      "--ctx",
      String(ROWS),
      "--slots",
      "1",
      "--stage-timeout",
      "1",
    ],
  });
  t.after(() => node.kill());
  await node.ready();
  const prompt = Array.from({ length: ROWS - 16 }, (_, index) => 5 + (index % 90));
  const response = await post(node, "/v1/completions", { prompt, max_tokens: 1 });
  const answer = await response.text();
  assert.match(answer, /"code":"stage_lost"/);
  assert.match(answer, /hangs, and its node has to start again/);
  assert.equal(await node.ended(), NODE_EXIT.hung);
  assert.match(node.log, /has not come back from a micro-batch of 8176 rows/);
});
