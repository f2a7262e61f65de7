import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Client, Metadata } from "@grpc/grpc-js";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest, TokenLogprob } from "../../src/core/inference.js";
import { PROTOCOL_VERSION } from "../../src/transport/compatibility.js";
import { ControlClient, type ControlClientOptions } from "../../src/transport/control-client.js";
import { openCredentials, plaintextCredentials } from "../../src/transport/credentials.js";
import type { LoadedStage, LoadStageEvent, LoadStageRequest } from "../../src/transport/node-service.js";
import { BUILD, failsWith, hello, once, startNode, type TestNode } from "./transport-harness.js";

function clientOf(context: TestContext, node: TestNode, overrides: Partial<ControlClientOptions> = {}): ControlClient {
  const client = new ControlClient({
    peer: node.address,
    credentials: plaintextCredentials(),
    caller: { ...BUILD, nodeId: "id-caller" },
    ...overrides,
  });
  context.after(() => client.close());
  return client;
}

const NEVER = new AbortController().signal;

const HELD: TokenLogprob = {
  token: 5,
  text: "é",
  bytes: [195, 169],
  logprob: Number.NEGATIVE_INFINITY,
  top: [{ token: 6, text: "e", bytes: [101], logprob: -1.5 }],
};

const REQUEST: InferenceRequest = {
  id: "chatcmpl-1",
  model: "demo",
  input: {
    kind: "chat",
    messages: [{ role: "user", content: [{ type: "text", text: "Grüße 🦊" }], name: "me" }],
    tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
    toolChoice: "auto",
  },
  sampling: { temperature: 0.5, seed: 42, logitBias: { "15043": -100 } },
  maxTokens: 16,
  stop: ["\n\n"],
  logprobs: 2,
  resume: { tokens: [15043, 29892], held: [HELD], elapsedSeconds: 1.5 },
};

const EVENTS: readonly InferenceEvent[] = [
  { type: "started", promptTokens: 7, cachedTokens: 3 },
  {
    type: "delta",
    text: "Hé",
    reasoning: "hm",
    toolCalls: [{ index: 0, id: "call_1", name: "f", arguments: "{" }],
    logprobs: [HELD],
    tokens: [15043, 29892],
    held: [HELD],
  },
  {
    type: "finished",
    reason: "stop",
    stopSequence: "###",
    usage: { promptTokens: 7, completionTokens: 1, cachedTokens: 3, acceptedDraftTokens: 0, rejectedDraftTokens: 0 },
    timings: { queueSeconds: 0.001, prefillSeconds: 0.2, decodeSeconds: 0.1 },
  },
];

const LOAD: LoadStageRequest = {
  place: { ringId: "ring", epoch: 3, stageIndex: 1, stageCount: 2 },
  model: "npm:pkg@1.0.0/model.gguf",
  layerBegin: 11,
  layerEnd: 22,
  hasOutput: false,
  contextSize: 4096,
  maxSequences: 4,
  batchSize: 512,
  microBatchSize: 512,
  kvTypeK: "f16",
  kvTypeV: "q8_0",
  flashAttention: "auto",
  wireType: "f32",
  cores: 3,
  modelHash: "",
  replaces: ["old-ring"],
  spare: "",
  nextHop: { nodeId: "id-head", host: "::1", port: 52_416 },
};

const STAGE: LoadedStage = {
  architecture: "llama",
  layerCount: 22,
  embeddingSize: 2048,
  contextSize: 4096,
  weightsBytes: 5_000_000_000,
  kvCacheBytes: 123,
  computeBytes: 456,
  outputBytes: 0,
  loadSeconds: 1.5,
  kept: true,
};

describe("hello", () => {
  test("exchanges who each side is, in the clear and over TLS", async (t) => {
    for (const credentials of [plaintextCredentials(), await openCredentials()]) {
      const met: string[] = [];
      const node = await startNode(t, {
        credentials,
        service: {
          async hello(peer) {
            met.push(peer.name);
            return hello("server");
          },
        },
      });
      const peer = await clientOf(t, node, { credentials }).hello(hello("client"));
      assert.deepEqual(peer, hello("server"));
      assert.deepEqual(met, ["client"]);
    }
  });

  test("refuses another protocol or llama.cpp, naming both, before the service hears of it", async (t) => {
    const node = await startNode(t, { service: { hello: async () => assert.fail("must not be asked") } });
    const protocol = { ...BUILD, protocolVersion: 99 };
    const newer = clientOf(t, node, { caller: { ...protocol, nodeId: "id-newer" } });
    await assert.rejects(
      newer.hello(hello("newer", protocol)),
      failsWith("peer_incompatible", "version 99", `version ${PROTOCOL_VERSION}`),
    );
    const llama = { ...BUILD, llamaTag: "b9999", llamaCommit: "fedcba9876543210fedcba9876543210fedcba98" };
    const other = clientOf(t, node, { caller: { ...llama, nodeId: "id-other" } });
    await assert.rejects(other.hello(hello("other", llama)), failsWith("peer_incompatible", "b9999", "b1234"));
    await assert.rejects(other.health(), failsWith("peer_incompatible", "b9999", "b1234"));
  });

  test("keeps clusters apart: no call of a node of another one is answered", async (t) => {
    const node = await startNode(t, { service: { hello: async () => assert.fail("must not be asked") } });
    const home = { ...BUILD, cluster: "home" };
    const other = clientOf(t, node, { caller: { ...home, nodeId: "id-other" } });
    for (const call of [other.hello(hello("other", home)), other.health()]) {
      await assert.rejects(call, failsWith("peer_incompatible", '"home" and "default"', "--cluster"));
    }
  });

  test("is refused by the caller too", async (t) => {
    const llama = { ...BUILD, llamaTag: "b9999", llamaCommit: "fedcba9876543210fedcba9876543210fedcba98" };
    const node = await startNode(t, { service: { hello: async () => hello("server", llama) } });
    await assert.rejects(clientOf(t, node).hello(hello("client")), failsWith("peer_incompatible", "b9999", "b1234"));
  });

  test("is refused to a program that says nothing of itself", async (t) => {
    const node = await startNode(t);
    const stranger = new Client(`127.0.0.1:${node.address.port}`, plaintextCredentials().channel);
    t.after(() => stranger.close());
    const { promise, call } = once<unknown>("the answer");
    const bytes = (value: Buffer): Buffer => value;
    stranger.makeUnaryRequest("/exo.v1.Node/Health", bytes, bytes, Buffer.alloc(0), new Metadata(), call);
    assert.match(String(await promise), /FAILED_PRECONDITION.*no exo-native node/);
  });
});

describe("single calls", () => {
  test("carry plain data both ways", async (t) => {
    const record = { id: "n1", devices: [{ name: "CPU", memory: 2 ** 40 }], missing: null, speed: 1.5 };
    const node = await startNode(t, {
      service: {
        health: async () => ({ record, uptimeSeconds: 12.5 }),
        tokenize: async ({ text, addSpecial }) => [text.length, addSpecial ? 1 : 0],
        detokenize: async (model, tokens) => `${model}:${tokens.join(",")}`,
        applyTemplate: async (_model, prompt) => JSON.stringify(prompt),
        unloadStage: async (...asked) => assert.deepEqual(asked, [LOAD.place, true]),
        drain: async (draining) => assert.equal(draining, true),
      },
    });
    const client = clientOf(t, node);
    assert.deepEqual(await client.health(), { record, uptimeSeconds: 12.5 });
    assert.deepEqual(
      await client.tokenize({ model: "m", text: "abc", addSpecial: true, parseSpecial: false }, NEVER),
      [3, 1],
    );
    assert.equal(await client.detokenize("m", [1, 2], NEVER), "m:1,2");
    assert.ok(REQUEST.input.kind === "chat");
    assert.deepEqual(JSON.parse(await client.applyTemplate("m", REQUEST.input, NEVER)), REQUEST.input);
    await client.unloadStage(LOAD.place, true);
    await client.drain(true);
  });

  test("bring the same error out at the other end", async (t) => {
    const thrown = new ExoError("context_exceeded", "A prompt of 5 000 tokens (100 %) – too long: 日本語.", {
      param: "messages",
    });
    const node = await startNode(t, {
      service: {
        health: async () => {
          throw thrown;
        },
        tokenize: () => {
          throw new TypeError("a fault");
        },
      },
    });
    const client = clientOf(t, node);
    await assert.rejects(client.health(), (error) => {
      assert.ok(error instanceof ExoError);
      const { code, message, retryable, param } = thrown;
      assert.deepEqual(
        { code: error.code, message: error.message, retryable: error.retryable, param: error.param },
        { code, message, retryable, param },
      );
      return true;
    });
    const tokenizing = client.tokenize({ model: "m", text: "", addSpecial: false, parseSpecial: false }, NEVER);
    await assert.rejects(tokenizing, failsWith("internal", "a fault"));
  });

  test("end at their deadline", async (t) => {
    const node = await startNode(t, { service: { health: () => new Promise(() => {}) } });
    const client = clientOf(t, node, { deadlines: { healthMs: 60 } });
    await assert.rejects(
      client.tokenize({ model: "m", text: "", addSpecial: false, parseSpecial: false }, NEVER),
      failsWith("unsupported"),
    );
    await assert.rejects(client.health(), failsWith("deadline_exceeded", "in time"));
  });

  test("end when their caller hangs up", async (t) => {
    const node = await startNode(t, { service: { health: () => new Promise(() => {}) } });
    const client = clientOf(t, node);
    const asked = assert.rejects(client.health(), failsWith("cancelled"));
    setTimeout(() => client.close(), 50);
    await asked;
  });

  test("end when what they are for is no longer wanted, at the other end too", async (t) => {
    let gone = (): void => {};
    const ended = new Promise<void>((resolve) => (gone = resolve));
    const left = new AbortController();
    const node = await startNode(t, {
      service: {
        tokenize: (_request, signal) => {
          signal.addEventListener("abort", () => gone());
          left.abort();
          return new Promise(() => {});
        },
      },
    });
    const request = { model: "m", text: "", addSpecial: false, parseSpecial: false };
    await assert.rejects(clientOf(t, node).tokenize(request, left.signal), failsWith("cancelled"));
    await ended;
  });

  test("are refused when what they carry cannot be meant", async (t) => {
    const node = await startNode(t);
    const client = clientOf(t, node);
    await assert.rejects(
      client.unloadStage({ ...LOAD.place, ringId: "two words" }, false),
      failsWith("invalid_argument", "ringId"),
    );
    await assert.rejects(
      client.unloadStage({ ...LOAD.place, stageIndex: 2 }, false),
      failsWith("invalid_argument", "stageCount"),
    );
    const tokenizing = client.tokenize({ model: "m", text: "", addSpecial: 1, parseSpecial: false } as never, NEVER);
    await assert.rejects(tokenizing, failsWith("invalid_argument", "addSpecial"));
  });
});

describe("loading a stage", () => {
  test("reports progress and what was loaded", async (t) => {
    const events: readonly LoadStageEvent[] = [
      { type: "progress", phase: "fetch", fraction: 0 },
      { type: "progress", phase: "load", fraction: 0.5 },
      { type: "done", stage: STAGE },
    ];
    const node = await startNode(t, {
      service: {
        async *loadStage(request) {
          assert.deepEqual(request, LOAD);
          yield* events;
        },
      },
    });
    const got: LoadStageEvent[] = [];
    for await (const event of clientOf(t, node).loadStage(LOAD, NEVER)) got.push(event);
    assert.deepEqual(got, events);
  });

  test("is cancelled by the signal, and by leaving the loop", async (t) => {
    let stopped = once<string>("the load's end");
    const node = await startNode(t, {
      service: {
        async *loadStage(_request, signal) {
          try {
            yield { type: "progress", phase: "load", fraction: 0.1 };
            await new Promise((_resolve, reject) =>
              signal.addEventListener("abort", () => reject(new Error("aborted"))),
            );
          } finally {
            stopped.call(signal.aborted ? "aborted" : "not aborted");
          }
        },
      },
    });
    const client = clientOf(t, node);
    const abort = new AbortController();
    const watch = async (): Promise<void> => {
      for await (const _ of client.loadStage(LOAD, abort.signal)) abort.abort();
    };
    await assert.rejects(watch(), failsWith("cancelled"));
    assert.equal(await stopped.promise, "aborted");

    stopped = once("the load's end");
    for await (const _ of client.loadStage(LOAD, NEVER)) break;
    assert.equal(await stopped.promise, "aborted");

    await assert.rejects(
      client.loadStage(LOAD, AbortSignal.abort())[Symbol.asyncIterator]().next(),
      failsWith("cancelled"),
    );
  });

  test("fails as the node says, after the progress that came before", async (t) => {
    const node = await startNode(t, {
      service: {
        async *loadStage() {
          yield { type: "progress", phase: "load", fraction: 0.9 };
          throw new ExoError("out_of_memory", "CUDA0 has 1 GiB free, the stage takes 2 GiB.");
        },
      },
    });
    const got: LoadStageEvent[] = [];
    const load = async (): Promise<void> => {
      for await (const event of clientOf(t, node).loadStage(LOAD, NEVER)) got.push(event);
    };
    await assert.rejects(load(), failsWith("out_of_memory", "CUDA0"));
    assert.equal(got.length, 1);
  });

  test("is refused when the request makes no sense", async (t) => {
    const node = await startNode(t);
    const client = clientOf(t, node);
    const first = (request: LoadStageRequest): Promise<unknown> =>
      client.loadStage(request, NEVER)[Symbol.asyncIterator]().next();
    await assert.rejects(first({ ...LOAD, layerBegin: 23 }), failsWith("invalid_argument", "layerBegin"));
    await assert.rejects(first({ ...LOAD, kvTypeK: "q9" as never }), failsWith("invalid_argument", "kvTypeK"));
    await assert.rejects(first({ ...LOAD, contextSize: 0 }), failsWith("invalid_argument", "contextSize"));
    await assert.rejects(first({ ...LOAD, nextHop: undefined as never }), failsWith("invalid_argument", "nextHop"));
  });
});

describe("generating", () => {
  test("carries the request and every kind of event", async (t) => {
    const node = await startNode(t, {
      service: {
        async *generate(request) {
          assert.deepEqual(request, REQUEST);
          yield* EVENTS;
        },
      },
    });
    const got: InferenceEvent[] = [];
    for await (const event of clientOf(t, node).generate(REQUEST, NEVER)) got.push(event);
    assert.deepEqual(got, EVENTS);
  });

  test("stops asking the head for more while the caller reads slowly, and stops it when the caller leaves", async (t) => {
    let made = 0;
    const left = once<void>("leaving");
    const stalled = once<void>("the stall");
    const node = await startNode(t, {
      service: {
        async *generate(_request, signal) {
          signal.addEventListener("abort", () => left.call());
          const text = "x".repeat(1024);
          for (; made < 1_000_000; made += 1) {
            const before = made;
            // No progress for many turns of the event loop: nobody asks any more.
            const watch = setTimeout(() => made === before && stalled.call(), 300);
            yield { type: "delta", text };
            clearTimeout(watch);
          }
        },
      },
    });
    for await (const _ of clientOf(t, node).generate(REQUEST, NEVER)) {
      await stalled.promise;
      break;
    }
    await left.promise;
    assert.ok(made < 1_000, `${made} events were made though only one was read`);
  });

  test("ends with the head's error in the middle of an answer", async (t) => {
    const node = await startNode(t, {
      service: {
        async *generate() {
          yield { type: "delta", text: "a" };
          throw new ExoError("stage_lost", "Stage 1 went away.");
        },
      },
    });
    let text = "";
    const read = async (): Promise<void> => {
      for await (const event of clientOf(t, node).generate(REQUEST, NEVER))
        text += event.type === "delta" ? event.text : "";
    };
    await assert.rejects(read(), failsWith("stage_lost", "Stage 1"));
    assert.equal(text, "a");
  });

  test("ends when the node stops", async (t) => {
    const started = once<void>("start");
    const node = await startNode(t, {
      service: {
        async *generate() {
          yield { type: "delta", text: "a" };
          started.call();
          await new Promise(() => {});
        },
      },
    });
    const events = clientOf(t, node).generate(REQUEST, NEVER)[Symbol.asyncIterator]();
    await events.next();
    const next = events.next();
    await started.promise;
    void node.stop();
    await assert.rejects(next, failsWith("stage_lost", "shutting down"));
  });
});
