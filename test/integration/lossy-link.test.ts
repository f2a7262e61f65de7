import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { complete, post } from "../support/completions.js";
import { LossyProxy } from "../support/lossy-proxy.js";
import { sharedModel, tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";
import { residentBytes } from "../support/ring-load.js";

const model = sharedModel("stories260K-f16.gguf") ?? tinyModel();
const MIB = 1024 * 1024;

const words = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, index) => 260 + ((index * 7 + seed * 13 + ((index * index * seed) % 11)) % 90));

/** Everything of a stream. */
async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += Buffer.from(piece.value).toString();
  }
  return text;
}

describe("a ring of two whose link fails", () => {
  let worker: NodeProcess;
  let head: NodeProcess;
  let link: LossyProxy;
  let expected: string;
  const question = { prompt: words(2, 60), max_tokens: 30, temperature: 0, cache_prompt: false };

  before(async () => {
    worker = await NodeProcess.start({ name: "worker", args: ["--threads", "1"] });
    link = await LossyProxy.start(worker.grpc);
    head = await NodeProcess.start({
      name: "head",
      args: [model, "--threads", "1", "--min-nodes", "2", "--ctx", "512", "--slots", "2", "--peer", link.address],
    });
    await head.ready();
    expected = (await complete(head, question)).text;
  });
  after(async () => {
    await Promise.all([head.stop(), worker.stop()]);
    await link.close();
  });

  /** Begins two long answers, lets the link fail, and waits until both streams have ended; they must say how. */
  async function failDuringAnswers(fail: () => void): Promise<void> {
    const body = { max_tokens: 450, temperature: 1, ignore_eos: true, stream: true };
    const readers = await Promise.all(
      [4, 5].map(async (seed) => (await post(head, "/v1/completions", { ...body, prompt: words(seed, 30) })).body),
    );
    const streams = readers.map((stream) => {
      assert.ok(stream !== null);
      return stream.getReader();
    });
    for (const stream of streams) await stream.read();
    fail();
    for (const text of await Promise.all(streams.map(textOf))) {
      assert.match(text, /data: \[DONE\]\s*$/);
      assert.match(text, /"error":\{"message":"[^"]+\.".*"code":"stage_lost"|"finish_reason":"length"/);
    }
  }

  /** The ring has formed again: the same question gets the same answer. */
  async function answersAgain(): Promise<void> {
    await head.ready();
    const deadline = Date.now() + 30_000;
    for (;;) {
      const response = await post(head, "/v1/completions", question);
      const answer: unknown = await response.json();
      if (response.status === 200) break;
      assert.ok(response.status === 503 && Date.now() < deadline, JSON.stringify(answer));
    }
    assert.equal((await complete(head, question)).text, expected);
  }

  test("activations go through it", async () => {
    const before = link.passed;
    await complete(head, question);
    assert.ok(link.passed - before > 60 * 64 * 4, `${link.passed - before} bytes`);
  });

  test("a slow link only takes longer", async () => {
    link.delay(20);
    assert.equal((await complete(head, question)).text, expected);
    link.delay(0);
  });

  for (const bytes of [1, 500, 20_000]) {
    test(`${bytes} lost bytes end the answers under way with an error, and the ring forms again`, async () => {
      await failDuringAnswers(() => link.lose(bytes));
      await answersAgain();
    });
  }

  test("a cut connection ends the answers under way with an error, and the ring forms again", async () => {
    await failDuringAnswers(() => link.cut());
    await answersAgain();
  });

  test("a link that swallows everything is given up, and taken up again when it is back", async () => {
    await failDuringAnswers(() => link.hold());
    link.release();
    link.cut();
    await answersAgain();
  });

  test("failing again and again costs no memory", async () => {
    const nodes = [head, worker];
    const before = await Promise.all(nodes.map(residentBytes));
    for (let round = 0; round < 5; round += 1) {
      await failDuringAnswers(() => link.cut());
      await answersAgain();
    }
    const now = await Promise.all(nodes.map(residentBytes));
    for (const [index, node] of nodes.entries()) {
      const grown = (now[index] ?? 0) - (before[index] ?? 0);
      assert.ok(grown < 100 * MIB, `${node.name} holds ${grown / MIB} MiB more`);
    }
  });
});
