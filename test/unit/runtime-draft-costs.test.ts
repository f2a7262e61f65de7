import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Speculator } from "../../src/runtime/speculation/speculator.js";
import { RecordedJob } from "../support/held-pipeline.js";

const TEXT = Array.from({ length: 40 }, (_, index) => 100 + index);

describe("what drafts are held to have cost", () => {
  test("leaves out requests that ended before the micro-batch was back", () => {
    const speculator = new Speculator({ stageCount: 1, ngrams: true, model: null, perRequest: 8, perMicroBatch: 64 });
    const [job, ended] = [new RecordedJob([...TEXT, 7, 8, ...TEXT.slice(0, 4)]), new RecordedJob([5])];
    /** A round of both, or of the first alone. */
    const record = (running: number, drafted: number, compute: number): void => {
      const own = { job, sequence: 0, drafted, tokens: 1 + drafted };
      const requests = [own, { job: ended, sequence: 1, drafted: 0, tokens: 0 }].slice(0, running);
      speculator.record({ running, groups: 1, requests, compute, overhead: 0 });
    };
    speculator.recordPrompt(8, 1);
    for (let time = 0; time < 8; time += 1) {
      record(1, 0, 1);
      record(2, 0, 1);
    }
    // Two tokens in 1.5 times the time of one: that pays.
    for (let time = 0; time < 40; time += 1) record(2, 1, 1.5);
    for (const token of TEXT.slice(4, 12)) speculator.accepted(job, token);
    const [draft = []] = speculator.draft([{ job, sequence: 0, room: 20 }], { running: 1, groups: 1 }, 64);
    assert.ok(draft.length > 0);
  });
});
