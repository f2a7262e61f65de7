import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { choosePorts } from "../../src/cli/demo/free-ports.js";
import { packageRoot } from "../../src/core/package.js";
import { type NodeProcess, startRing } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";
import { twoNodeCluster } from "../unit/cli-sample-cluster.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");
const KEY = "a-key-for-this-test";

const model = writeTinyModel();
const other = writeTinyModel({ seed: 2 });
let home = "";
let nobody = "";

before(async () => {
  home = await mkdtemp(join(tmpdir(), "exo-bench-"));
  nobody = `127.0.0.1:${(await choosePorts([0]))[0]}`;
});
after(async () => {
  model.remove();
  other.remove();
  await rm(home, { recursive: true });
});

function start(args: readonly string[]): ChildProcess {
  const env = { ...process.env, EXO_NATIVE_HOME: home, EXO_NATIVE_HTTP: nobody };
  return spawn(process.execPath, [MAIN, "bench", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function ended(child: ChildProcess) {
  assert.ok(child.stdout !== null && child.stderr !== null);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: code as unknown, out, err };
}

function bench(...args: readonly string[]) {
  return ended(start(args));
}

describe("bench of a ring of two nodes", () => {
  let ring: NodeProcess[] = [];
  let url = "";
  before(async () => {
    ring = await startRing(2, model.path, ["--slots", "2", "--api-key", KEY]);
    url = ring[0]?.http ?? "";
  });
  after(async () => {
    await Promise.all(ring.map((node) => node.stop()));
  });

  test("--json: one document with every measurement that the context and the slots allow", async () => {
    const { code, out, err } = await bench("--json", "--url", url, "--api-key", KEY);
    assert.equal(code, 0, err);
    assert.equal(err, "");
    const report = JSON.parse(out);
    assert.equal(report.complete, true);
    assert.equal(report.stages.length, 2);
    assert.deepEqual(
      report.prompt.map(({ tokens }: { tokens: number }) => tokens),
      [128],
    );
    assert.equal(report.prompt[0].tokens_per_second.samples.length, 3);
    assert.ok(report.decode.tokens_per_second.median > 0);
    const { p50, p95, p99 } = report.decode.inter_token_seconds;
    assert.ok(0 <= p50 && p50 <= p95 && p95 <= p99);
    assert.ok(report.repeated_prompt.cached_tokens > 0);
    assert.deepEqual(
      report.streams.map(({ streams }: { streams: number }) => streams),
      [1, 2],
    );
  });

  test("the table names the nodes, whichever of them is asked", async () => {
    const { code, out } = await bench("--url", ring[1]?.http ?? "", "--api-key", KEY, "--duration", "20");
    assert.equal(code, 0);
    assert.match(out, /head \(head\) +layers \[0, /);
    assert.match(out, /worker-1 +layers \[/);
    assert.match(out, /Answer: \d/);
  });

  test("a wrong key, or a model that is not there, is one sentence and exit code 1", async () => {
    const wrong = await bench("--url", url, "--api-key", "not-the-key");
    assert.deepEqual([wrong.code, wrong.out], [1, ""]);
    assert.match(wrong.err, /^error: .*key.*\n$/);
    const absent = await bench("gemma", "--url", url, "--api-key", KEY);
    assert.equal(absent.code, 1);
    assert.match(absent.err, /has no model "gemma"/);
  });

  test("--verify: the ring computes what one node computes", async () => {
    const { code, out, err } = await bench("--verify", "--json", "--url", url, "--api-key", KEY, "--threads", "1");
    assert.equal(code, 0, err);
    const report = JSON.parse(out);
    assert.equal(report.ok, true);
    assert.equal(report.complete, true);
    assert.equal(report.nodes, 2);
    assert.equal(report.cache_used, true);
    assert.ok(report.largest_difference < 0.01, `${report.largest_difference}`);
    const alone = report.answers.filter((answer: { prompt: string }) => answer.prompt.endsWith("alone"));
    for (const answer of alone) assert.equal(answer.tolerance, 0.001, answer.prompt);
    for (const answer of report.answers) assert.equal(answer.different_tokens, 0, answer.prompt);
    const prompts = report.answers.map((answer: { prompt: string }) => answer.prompt);
    assert.deepEqual(prompts, [
      "8 tokens, alone",
      "64 tokens, alone",
      "200 tokens, alone",
      "200 tokens, from the cache",
      "8 tokens, all at once",
      "64 tokens, all at once",
      "200 tokens, all at once",
    ]);
  });

  test("--verify beside other weights: exit code 1, and where they part", async () => {
    const { code, out, err } = await bench("--verify", "--against", other.path, "--url", url, "--api-key", KEY);
    assert.equal(code, 1);
    assert.match(out, /differs/);
    assert.match(err, /^error: The ring does not compute what one node computes: .*where one node says .*\n$/);
  });

  test("--verify of what does not fit the memory is refused before anything is read", async () => {
    const { code, out, err } = await bench("--verify", "--memory", "100KiB", "--url", url, "--api-key", KEY);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /^error: Comparing needs all of tiny in this process: .* but 100\.0 KiB of memory may be used/);
  });
});

describe("bench without a running node", () => {
  test("needs a model, and says so", async () => {
    const { code, err } = await bench();
    assert.equal(code, 1);
    assert.match(err, /No node answers at .*name a model after bench/);
  });

  test("loads the named one itself, and can verify it", async () => {
    const measured = await bench(model.path, "--json", "--slots", "1", "--threads", "1");
    assert.equal(measured.code, 0, measured.err);
    assert.equal(JSON.parse(measured.out).stages.length, 1);
    const verified = await bench(model.path, "--verify", "--slots", "1", "--threads", "1");
    assert.equal(verified.code, 0, verified.err);
    assert.match(verified.out, /The ring has one node, so nothing is split\./);
  });

  test("options that belong to --verify need it", async () => {
    for (const args of [
      ["--against", "x.gguf"],
      ["--tolerance", "1"],
      ["--duration", "soon"],
    ]) {
      assert.equal((await bench(...args)).code, 2, args.join(" "));
    }
  });
});

/** Answers the first completions, then does as told. */
class FailingNode {
  readonly #server: Server;
  #left: number;
  readonly #then: (response: ServerResponse) => void;

  constructor(completions: number, then: (response: ServerResponse) => void) {
    this.#left = completions;
    this.#then = then;
    this.#server = createServer((request, response) => {
      const { url = "" } = request;
      request.resume();
      if (url === "/v1/models") return json(response, { data: [{ id: "tinyllama" }] });
      if (url === "/cluster") return json(response, twoNodeCluster());
      if (url === "/tokenize") return json(response, { tokens: Array.from({ length: 4096 }, (_, id) => id) });
      if (this.#left-- <= 0) return this.#then(response);
      const logprobs = { tokens: ["a"], token_ids: [1], token_logprobs: [-1] };
      const choices = [{ index: 0, text: "a", logprobs, finish_reason: "length" }];
      const timings = { cache_n: 0, prompt_n: 9, prompt_ms: 9, predicted_n: 2, predicted_per_second: 9 };
      response.end(`data: ${JSON.stringify({ choices, timings })}\n\ndata: [DONE]\n\n`);
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function json(response: ServerResponse, body: object): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

describe("bench that is cut short", () => {
  test("by a cluster that goes away: what was measured until then, and exit code 1", async () => {
    const node = new FailingNode(2, (response) => {
      response.write('data: {"choices":[{"text":"a"}]}\n\n');
      setImmediate(() => response.destroy());
    });
    const { code, out, err } = await bench("--json", "--url", await node.listen());
    await node.close();
    assert.equal(code, 1);
    assert.match(err, /^error: The node went away in the middle of the answer\. \(while measuring .*\)\n$/);
    const report = JSON.parse(out);
    assert.equal(report.failure.code, "stage_lost");
    assert.equal(report.prompt.length, 1);
    assert.equal(report.decode, null);
  });

  test("by Ctrl-C: likewise", async () => {
    const node = new FailingNode(2, () => child.kill("SIGINT"));
    const child = start(["--url", await node.listen()]);
    const { code, out, err } = await ended(child);
    await node.close();
    assert.equal(code, 1);
    assert.equal(err, "error: Stopped before everything was measured.\n");
    assert.match(out, /128 tokens/);
  });

  test("by the time allowed: exit code 0 with what there is, 1 with nothing", async () => {
    const some = new FailingNode(2, () => {});
    const found = await bench("--duration", "1", "--json", "--url", await some.listen());
    await some.close();
    assert.equal(found.code, 0, found.err);
    assert.equal(JSON.parse(found.out).complete, false);
    const none = new FailingNode(0, () => {});
    const nothing = await bench("--duration", "1", "--url", await none.listen());
    await none.close();
    assert.deepEqual([nothing.code, nothing.out], [1, ""]);
    assert.match(nothing.err, /^error: Nothing could be measured within 1 s/);
  });

  test("by the time allowed while comparing: exit code 1, though what was compared agrees", async () => {
    const node = new FailingNode(1, () => {});
    const args = ["--against", model.path, "--tolerance", "100", "--duration", "4", "--json"];
    const { code, out, err } = await bench("--verify", ...args, "--url", await node.listen());
    await node.close();
    assert.equal(code, 1);
    assert.match(err, /^error: What was compared agrees, but not everything was compared within 4 s/);
    const { ok, complete, answers } = JSON.parse(out);
    assert.deepEqual([ok, complete, answers.length], [true, false, 1]);
  });
});
