import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CONTEXT, writeParityModel } from "../parity/models.js";
import { structuredCases } from "../structured/cases.js";
import { runCases } from "../structured/run-cases.js";
import { demoModel } from "../support/models.js";
import { startRing } from "../support/node-process.js";

const SLOTS = 4;

/** `npm run test:structured` asks the demo model for a hundred times as much. */
const FEW = 2;

describe("answers of a JSON schema, and tool calls", () => {
  test("are valid 100 of 100 times, greedy and sampled, although the model knows nothing", async () => {
    const directory = mkdtempSync(join(tmpdir(), "exo-native-structured-"));
    const ring = await startRing(2, writeParityModel(directory, "plain"), [
      "--ctx",
      String(CONTEXT),
      "--slots",
      String(SLOTS),
    ]);
    try {
      const [head] = ring;
      assert.ok(head !== undefined);
      assert.deepEqual(await runCases(head.http, structuredCases(200), SLOTS), []);
    } finally {
      for (const node of ring) await node.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("are valid with the demo model", async (context) => {
    const model = await demoModel();
    if (model === null) {
      context.skip("the demo model is not in the cache; `npm start` fetches it");
      return;
    }
    const ring = await startRing(1, model, ["--ctx", "1024", "--slots", String(SLOTS)]);
    try {
      const [head] = ring;
      assert.ok(head !== undefined);
      assert.deepEqual(await runCases(head.http, structuredCases(FEW), SLOTS), []);
    } finally {
      for (const node of ring) await node.stop();
    }
  });
});
