import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { readGgufInfo } from "../../src/model/gguf-info.js";
import { complete } from "../support/completions.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";
import { Hub } from "./model-hub.js";

const LAYERS = 6;
const MIB = 2 ** 20;
/** Some 2.4 MB for each layer, so that parts differ in blocks. */
const file = tinyModel({ layers: LAYERS, width: 256 });
const ASK = { prompt: "Once upon a time", max_tokens: 24, temperature: 0, speculation: false } as const;

const clusterSchema = z.object({
  nodes: z.array(
    z.object({
      name: z.string(),
      models: z.array(z.object({ id: z.string(), spec: z.string(), complete: z.boolean(), bytes: z.number() })),
      downloads: z.array(z.unknown()),
    }),
  ),
});

const hub = new Hub();
let homes = "";
let url = "";
const running: NodeProcess[] = [];
before(async () => {
  await hub.start();
  homes = await mkdtemp(join(tmpdir(), "exo-ring-parts-"));
  url = hub.serve("/tiny.gguf", { content: await readFile(file) });
});
after(async () => {
  await Promise.all(running.map((node) => node.stop()));
  await hub.stop();
  await rm(homes, { recursive: true, force: true });
});

async function node(name: string, args: readonly string[]): Promise<NodeProcess> {
  const started = await NodeProcess.start({
    name,
    args: ["--threads", "1", "--ctx", "128", ...args],
    home: join(homes, name),
  });
  running.push(started);
  return started;
}

/** Bytes on the disk of a node's only model. */
async function bytesKept(name: string): Promise<number> {
  const models = join(homes, name, "models");
  const [directory] = (await readdir(models)).filter((entry) => !entry.endsWith(".lock"));
  const path = join(models, directory ?? "", "tiny.gguf");
  assert.equal((await stat(path)).size, (await stat(file)).size);
  return (await stat(path)).blocks * 512;
}

describe("a ring of machines that each fetch their part", () => {
  test("answers as one machine with the whole file, and none of them has it", async () => {
    const alone = await (await node("alone", [file])).ready();
    const expected = await complete(alone, { ...ASK, model: "tiny" });
    const { layerBytes, embeddingBytes, outputBytes, files } = await readGgufInfo(file);
    const workers = [await node("one", []), await node("two", [])];
    const peers = workers.flatMap((worker) => ["--peer", worker.grpc]);
    const before = hub.bytesSent;
    const head = await node("head", [url, "--min-nodes", "3", "--layers", "0-2@head,2-4@one,4-6@two", ...peers]);
    await head.ready();
    const answer = await complete(head, { ...ASK, model: "tiny" });
    assert.equal(answer.text, expected.text);
    const share = (layerBytes[0] ?? 0) * 2 + 3 * MIB;
    assert.ok((await bytesKept("one")) <= share, `${await bytesKept("one")} bytes`);
    assert.ok((await bytesKept("two")) <= share, `${await bytesKept("two")} bytes`);
    assert.ok((await bytesKept("head")) <= share + embeddingBytes + outputBytes + 2 * MIB);
    const fetched = hub.bytesSent - before;
    assert.ok(fetched <= (files[0]?.bytes ?? 0) + 9 * MIB, `${fetched} bytes from the hub`);
  });

  test("tells what each of them has", async () => {
    const [head] = running.filter(({ name }) => name === "head");
    const { nodes } = clusterSchema.parse(await (await fetch(`${head?.http}/cluster`)).json());
    const own = nodes.find(({ name }) => name === "head")?.models[0];
    assert.deepEqual([own?.id, own?.spec, own?.complete], ["tiny", url, false]);
    assert.ok((own?.bytes ?? 0) > 0 && (own?.bytes ?? 0) < (await stat(file)).size);
  });
});
