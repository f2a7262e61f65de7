import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { parseHostPort } from "../../src/config/address.js";
import { libraryInfo } from "../../src/native/load.js";
import { PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

const number = z.number();
const clusterSchema = z.object({
  nodes: z.array(z.object({ id: z.string(), power: z.enum(["mains", "battery", "unknown"]) })),
  links: z.array(
    z.object({ from: z.string(), to: z.string(), one_way_ms: number.positive(), bytes_per_second: number.positive() }),
  ),
  rings: z.array(
    z.object({
      prediction: z.object({
        predicted: z.object({ ttft_seconds: number }).nullable(),
        measured: z.object({
          ttft_seconds: number.nullable(),
          decode_tokens_per_second: number.nullable(),
          requests: number,
        }),
        error: z.object({ ttft: number.nullable(), decode: number.nullable() }),
      }),
    }),
  ),
});

const LAYERS = 4;
const NEVER = new AbortController().signal;

describe("nodes that measure", () => {
  const model = tinyModel({ layers: LAYERS, contextLength: 1024 });
  const nodes: NodeProcess[] = [];
  let home = "";

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-native-measured-"));
    const worker = await NodeProcess.start({ name: "worker", home, args: ["--threads", "1"] });
    nodes.push(worker);
    const args = [model, "--threads", "1", "--ctx", "1024", "--min-nodes", "2", "--peer", worker.grpc];
    nodes.push(await NodeProcess.start({ name: "head", args }));
    await Promise.all(nodes.map((node) => node.ready()));
  });

  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(home, { recursive: true, force: true });
  });

  function nodeNamed(name: string): NodeProcess {
    return nodes.find((node) => node.name === name) ?? assert.fail(`no node ${name}`);
  }

  async function cluster(): Promise<z.infer<typeof clusterSchema>> {
    return clusterSchema.parse(await (await fetch(`${nodeNamed("head").http}/cluster`)).json());
  }

  test("tell the ways between them, and what they run on", async () => {
    await eventually(async () => {
      const { nodes: shown, links } = await cluster();
      assert.equal(shown.length, 2);
      const ways = links.map(({ from, to }) => `${from} ${to}`).sort();
      const [a, b] = shown.map(({ id }) => id);
      assert.deepEqual(ways, [`${a} ${b}`, `${b} ${a}`].sort());
    }, 30_000);
  });

  test("tell what a model takes there, keep it, and leave nothing else behind", async () => {
    const { llama_tag, llama_commit } = libraryInfo();
    const client = new ControlClient({
      peer: parseHostPort(nodeNamed("worker").grpc, 0) ?? assert.fail("no address"),
      credentials: plaintextCredentials(),
      caller: {
        cluster: "default",
        protocolVersion: PROTOCOL_VERSION,
        llamaTag: llama_tag,
        llamaCommit: llama_commit,
        nodeId: "test",
      },
    });
    const kept = () => readdir(join(home, "speeds")).catch(() => []);
    const request = {
      model,
      cores: 1,
      microBatchSize: 64,
      kvTypeK: "f16",
      kvTypeV: "f16",
      flashAttention: "auto",
    } as const;
    // To place the ring it was measured for that already.
    const before = await kept();
    const speed = await client.probeModel(request, NEVER);
    assert.deepEqual(speed.kindOfLayer, [0, 0, 0, 0]);
    assert.equal(speed.kinds[0]?.passes.at(-1)?.rows, 64);
    assert.deepEqual(await client.probeModel(request, NEVER), speed);
    assert.equal((await kept()).length, before.length + 1);
    assert.deepEqual(await readdir(join(home, "probes")), []);
    await assert.rejects(client.probeModel({ ...request, model: "/nonexistent.gguf" }, NEVER), {
      code: "model_not_found",
    });
    client.close();
  });

  test("tell how fast a ring answered", async () => {
    const prompt = Array.from({ length: 300 }, (_, index) => 3 + (index % 300));
    const body = JSON.stringify({ prompt, max_tokens: 24, ignore_eos: true, speculation: false });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${nodeNamed("head").http}/v1/completions`, { method: "POST", headers, body });
    assert.equal(response.status, 200, await response.text());
    await eventually(async () => {
      const { measured } = (await cluster()).rings[0]?.prediction ?? assert.fail("no ring");
      assert.equal(measured.requests, 1);
      assert.ok((measured.ttft_seconds ?? 0) > 0);
      assert.ok((measured.decode_tokens_per_second ?? 0) > 0);
    });
  });
});
