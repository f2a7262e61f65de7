import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LoadedHead } from "../../src/cluster/head-port.js";
import { Membership } from "../../src/cluster/membership.js";
import { NO_MEMORY, NO_WORK, type RingRecord } from "../../src/cluster/node-record.js";
import { PlacedModel } from "../../src/cluster/placed-model.js";
import { NOTHING_MEASURED } from "../../src/cluster/prediction-record.js";
import { NO_RATES } from "../../src/cluster/ring-rates.js";
import type { RingSettings } from "../../src/cluster/ring-settings.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import type { StageInfo } from "../../src/native/stage.js";
import { eventually } from "../support/eventually.js";
import { sampleRecord } from "../support/sample-record.js";
import { modelOf } from "./planning-models.js";

const unused = (): never => {
  throw new ExoError("internal", "This test has one node.");
};

const membership = new Membership({
  hello: unused,
  record: unused,
  connect: unused,
  ownAddress: unused,
  heartbeatMs: 1000,
  missesUntilGone: 3,
  logger: silentLogger,
});

const self = sampleRecord();

const ring: RingSettings = {
  contextSize: 64,
  slots: 1,
  batchSize: 32,
  microBatchSize: 32,
  kvTypeK: "f16",
  kvTypeV: "f16",
  flashAttention: "auto",
  wireType: "f32",
};

const info: StageInfo = {
  architecture: "llama",
  description: "",
  layerCount: 1,
  embeddingSize: 64,
  inputSize: 0,
  outputSize: 0,
  vocabularySize: 100,
  contextTrained: 64,
  contextSize: 64,
  parameterCount: 1,
  chatTemplate: null,
  bosToken: null,
  eosToken: null,
  addBos: false,
  canShift: true,
  canTrim: true,
};

const tiny = {
  id: "tiny",
  spec: "tiny",
  path: "/tiny.gguf",
  hash: "",
  bytes: 1,
  info: modelOf([1]),
  defaults: {},
  licence: null,
};

class FakeHead implements LoadedHead {
  readonly info = info;
  readonly #listeners: ((error: ExoError) => void)[] = [];

  memory = () => NO_MEMORY;
  load = () => ({
    busySlots: 0,
    waiting: 0,
    work: NO_WORK,
    hops: null,
    rates: NO_RATES,
    measured: NOTHING_MEASURED,
  });
  check = async () => {};
  close = async () => {};

  onBroken(listener: (error: ExoError) => void): void {
    this.#listeners.push(listener);
  }

  break(): void {
    for (const listener of this.#listeners) listener(new ExoError("stage_lost", "A node left."));
  }
}

/** @param tries what loading comes to: a head, or why it failed */
function modelThatComesTo(tries: (FakeHead | ExoError)[]) {
  const states: RingRecord["state"][] = [];
  const memory = { weights: 1, kvCache: 1, compute: 1 };
  const stage = { nodeId: "a", layerBegin: 0, layerEnd: 1, hasEmbedding: true, hasOutput: true, memory };
  const placed = new PlacedModel<FakeHead>({
    ringId: "ring",
    spec: "tiny",
    minNodes: 1,
    neededNodes: [],
    self,
    ownRecord: () => self,
    membership,
    models: {
      header: async () => tiny,
      resolvePart: async () => tiny,
    },
    place: () => ({
      plan: {
        model: "tiny",
        layerCount: 1,
        stages: [stage],
        head: "a",
        unused: [],
        strategy: "latency",
        predicted: null,
        reasons: [],
      },
      ring,
    }),
    openHead: async () => {
      const next = tries.shift();
      if (next instanceof FakeHead) return next;
      throw next ?? new ExoError("internal", "The test expected no further try.");
    },
    onChange: (record) => {
      if (states.at(-1) !== record.state) states.push(record.state);
    },
    retryMs: 0,
    logger: silentLogger,
  });
  return { placed, states };
}

const anySignal = new AbortController().signal;
const tooLittle = () => new ExoError("out_of_memory", "The device has too little free memory.");

describe("PlacedModel", () => {
  test("a ring that was ready is formed anew even when its memory is not free at once", async (context) => {
    const [first, second] = [new FakeHead(), new FakeHead()];
    const { placed, states } = modelThatComesTo([first, tooLittle(), tooLittle(), second]);
    context.after(() => placed.stop());
    placed.start();
    await placed.whenReady(anySignal);
    first.break();
    await eventually(async () => assert.ok(placed.head === second, "the second head serves"));
    assert.deepEqual(
      states.filter((state) => state === "failed" || state === "ready"),
      ["ready", "failed", "failed", "failed", "ready"],
    );
  });

  test("a model that does not fit at first is refused for good", async () => {
    const { placed } = modelThatComesTo([tooLittle(), new FakeHead()]);
    placed.start();
    await assert.rejects(placed.whenReady(anySignal), { code: "out_of_memory" });
    await placed.stop();
  });
});
