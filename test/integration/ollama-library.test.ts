import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Ollama } from "ollama";
import { CHATML_TEMPLATE } from "../support/chat-template.js";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";
import { tinyGguf } from "../support/tiny-gguf.js";
import { Hub } from "./model-hub.js";

const FILE = tinyGguf({ chatTemplate: CHATML_TEMPLATE, contextLength: 512 });
const MINUTE = 60_000;

const messages = [{ role: "user", content: "Hello" }];
const options = { temperature: 0, num_predict: 4 };

describe("the ollama client and the models of a node", () => {
  const hub = new Hub();
  let node: NodeProcess;
  let ollama: Ollama;
  let address = "";

  before(async () => {
    await hub.start();
    hub.serve("/tiny.gguf", { content: FILE });
    address = hub.url("/tiny.gguf");
    const args = ["--threads", "1", "--ctx", "256", "--allow-private-downloads"];
    node = await NodeProcess.start({ name: "library", args });
    ollama = new Ollama({ host: node.http });
  });
  after(async () => {
    assert.equal(await node.stop(), 0);
    await hub.stop();
  });

  const loaded = async () => (await ollama.ps()).models;

  test("fetches one, and sees it come", async () => {
    assert.deepEqual((await ollama.list()).models, []);
    const lines = [];
    for await (const line of await ollama.pull({ model: address, stream: true })) lines.push(line);
    assert.equal(lines[0]?.status, "pulling manifest");
    assert.equal(lines.at(-1)?.status, "success");
    const complete = lines.filter(({ total }) => total !== undefined).at(-1);
    assert.deepEqual([complete?.completed, complete?.total], [FILE.length, FILE.length]);
    await assert.rejects(ollama.pull({ model: "no-such-model" }), { status_code: 404, message: /no-such-model/ });
  });

  test("lists it with what its file says", async () => {
    const { models } = await ollama.list();
    assert.deepEqual(
      models.map(({ name, size, digest }) => [name, size, digest]),
      [["tiny:latest", FILE.length, createHash("sha256").update(FILE).digest("hex")]],
    );
    const [model] = models;
    assert.equal(model?.details.family, "llama");
    assert.match(model?.details.parameter_size ?? "", /K$/);
    assert.deepEqual((await ollama.show({ model: "tiny" })).capabilities, ["completion", "tools"]);
  });

  test("loads it for as long as it says, and unloads it", async () => {
    const load = await ollama.generate({ model: "tiny", prompt: "", keep_alive: "30m" });
    assert.equal(load.done_reason, "load");
    const [there] = await loaded();
    assert.equal(there?.name, "tiny:latest");
    const left = Date.parse(String(there?.expires_at)) - Date.now();
    assert.ok(left > 28 * MINUTE && left <= 30 * MINUTE, `${left} ms`);
    const answer = await ollama.chat({ model: "tiny", messages, options });
    assert.ok(answer.eval_count > 0);
    const unload = await ollama.chat({ model: "tiny", messages: [], keep_alive: 0 });
    assert.equal(unload.done_reason, "unload");
    assert.deepEqual(await loaded(), []);
  });

  test("loads it for one answer alone", async () => {
    const answer = await ollama.chat({ model: "tiny:latest", messages, options, keep_alive: 0 });
    assert.ok(answer.eval_count > 0);
    assert.ok(answer.load_duration > 0);
    await eventually(async () => assert.deepEqual(await loaded(), []));
  });

  test("removes it", async () => {
    await ollama.delete({ model: "tiny" });
    assert.deepEqual((await ollama.list()).models, []);
    await assert.rejects(ollama.delete({ model: "tiny" }), { status_code: 404 });
    await assert.rejects(ollama.chat({ model: "tiny", messages }), { status_code: 404 });
  });
});
