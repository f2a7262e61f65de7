import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ask, askStreamed } from "../parity/ask.js";
import { assertAgrees } from "../parity/compare.js";
import { CONTEXT, PARITY_MODELS, SLOTS, writeParityModel } from "../parity/models.js";
import { readRecorded } from "../parity/recorded.js";
import { SHAPES, type Shape } from "../parity/shapes.js";
import { type NodeProcess, startRing } from "../support/node-process.js";

const recorded = new Map(readRecorded().recordings.map((one) => [one.name, one]));
const directory = mkdtempSync(join(tmpdir(), "exo-native-parity-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

/** Shapes in which no difference is meant. */
const LEAST_EQUAL = 50;

describe("the recorded requests", () => {
  test("are those that are asked here", () => {
    const again = "record them again: npm run test:parity -- --record";
    assert.deepEqual(
      SHAPES.map(({ name, body }) => ({ name, body: JSON.parse(JSON.stringify(body)) })),
      [...recorded.values()].map(({ name, body }) => ({ name, body })),
      again,
    );
    const equal = SHAPES.filter(({ except }) => Object.keys(except).length === 0);
    assert.ok(equal.length >= LEAST_EQUAL, `${equal.length} shapes without a difference`);
  });
});

for (const nodes of [1, 2]) {
  for (const model of PARITY_MODELS) {
    describe(`a ring of ${nodes} answers as llama-server does, model "${model}"`, () => {
      let ring: readonly NodeProcess[] = [];
      before(async () => {
        const path = writeParityModel(directory, model);
        ring = await startRing(nodes, path, ["--ctx", String(CONTEXT), "--slots", String(SLOTS)]);
      });
      after(async () => {
        for (const node of ring) await node.stop();
      });

      for (const shape of SHAPES.filter((one) => one.model === model)) {
        test(shape.name, async () => {
          const [head] = ring;
          assert.ok(head !== undefined);
          await assertParity(head.http, shape);
        });
      }
    });
  }
}

/** Whole as recorded, and streamed as whole. */
async function assertParity(url: string, shape: Shape): Promise<void> {
  const expected = recorded.get(shape.name)?.outcome;
  assert.ok(expected !== undefined, "not recorded");
  const whole = await ask(url, shape);
  assertAgrees(whole, expected, shape.except, "whole");
  const streamed = await askStreamed(url, shape);
  assertAgrees(streamed, whole, {}, "streamed");
}
