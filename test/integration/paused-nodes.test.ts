import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Completion, complete, post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { type NodeProcess, startRing } from "../support/node-process.js";

const model = tinyModel({ matrices: "f16" });
const QUESTION = { prompt: "one two three", max_tokens: 12, temperature: 0, ignore_eos: true };
const LONG = { ...QUESTION, max_tokens: 400, stream: true };

interface Ring {
  readonly head: NodeProcess;
  readonly worker: NodeProcess;
  readonly before: Completion;
}

async function ringOfTwo(context: TestContext): Promise<Ring> {
  const [head, worker] = await startRing(2, model, ["--ctx", "512"]);
  assert.ok(head !== undefined && worker !== undefined);
  context.after(async () => {
    for (const node of [head, worker]) {
      node.resume();
      await node.stop();
    }
  });
  return { head, worker, before: await complete(head, QUESTION) };
}

/** What comes of a stream until it ends. */
async function restOf(response: Response): Promise<string> {
  return response.text();
}

/** The whole answer, an error that says so, or a refusal before the first piece: never a stream that just stops. */
function assertHonest(status: number, text: string): void {
  if (status !== 200) assert.match(text, /"error":/);
  else {
    assert.match(text, /data: \[DONE\]\s*$/);
    assert.match(text, /"error":|"finish_reason":"(length|stop)"/);
  }
}

async function answersAsBefore({ before }: Ring, node: NodeProcess): Promise<void> {
  await eventually(async () => {
    const after = await complete(node, QUESTION);
    assert.equal(after.text, before.text);
  }, 60_000);
}

describe("a node that is stopped in the middle of answers", () => {
  test("as a worker: its ring breaks because it fell silent, and forms again when it goes on", async (t) => {
    const ring = await ringOfTwo(t);
    const { head, worker } = ring;
    const response = await post(head, "/v1/completions", LONG);
    const text = restOf(response);
    worker.pause();
    await eventually(async () => assert.match(head.log, /worker-1 fell silent/), 30_000);
    // Long before the node counts as gone, the ring takes no requests.
    await eventually(async () => assert.notEqual((await fetch(`${head.http}/readyz`)).status, 200), 30_000);
    worker.resume();
    assertHonest(response.status, await text);
    await answersAsBefore(ring, head);
    await answersAsBefore(ring, worker);
    assert.doesNotMatch(worker.log, /head fell silent/, "who slept blames nobody");
  });

  test("as a head: who waits for its answer elsewhere is told, and it answers again when it goes on", async (t) => {
    const ring = await ringOfTwo(t);
    const { head, worker } = ring;
    const response = await post(worker, "/v1/completions", LONG);
    const text = restOf(response);
    head.pause();
    await eventually(async () => assert.match(worker.log, /head fell silent/), 30_000);
    head.resume();
    assertHonest(response.status, await text);
    await answersAsBefore(ring, worker);
    await answersAsBefore(ring, head);
    assert.doesNotMatch(head.log, /worker-1 fell silent/, "who slept blames nobody");
  });
});
