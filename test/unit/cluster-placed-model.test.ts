import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { modelRequest } from "../../src/cluster/model-request.js";
import type { RingRecord } from "../../src/cluster/node-record.js";
import { PlacedModel, type Placement } from "../../src/cluster/placed-model.js";
import { UnfitNodes } from "../../src/cluster/unfit-nodes.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger, systemClock } from "../../src/core/ports.js";
import { eventually } from "../support/eventually.js";
import { FakeHead } from "../support/fake-head.js";
import { SETTINGS } from "../support/manager-network.js";
import { sampleRecord } from "../support/sample-record.js";
import { modelOf } from "./planning-models.js";

const unused = (): never => {
  throw new ExoError("internal", "This test has one node.");
};

const membership = {
  alive: () => [],
  members: () => [],
  find: () => null,
  ownAddress: unused,
  onChange: () => () => {},
};

const self = sampleRecord({ id: "a" });
const request = modelRequest("tiny", SETTINGS);

interface Asked {
  readonly remains: (readonly string[] | null)[];
  readonly healed: boolean[];
  mayPlace: number;
  /** Plans are made when it resolves. */
  planned: Promise<void>;
}

/** @param tries what loading comes to: a head, or why it failed */
function modelThatComesTo(tries: (FakeHead | ExoError)[], plannedHead = "a") {
  const states: RingRecord["state"][] = [];
  const handedTo: string[] = [];
  const asked: Asked = { remains: [], healed: [], mayPlace: 0, planned: Promise.resolve() };
  const memory = { weights: 1, kvCache: 1, compute: 1 };
  const stage = { nodeId: "a", layerBegin: 0, layerEnd: 1, hasEmbedding: true, hasOutput: true, memory };
  const placement: Placement = {
    plan: {
      model: "tiny",
      layerCount: 1,
      stages: [stage],
      head: plannedHead,
      unused: [],
      strategy: "latency",
      predicted: null,
      reasons: ["because"],
    },
    ring: { ...request.ring, contextSize: 64 },
  };
  const placed = new PlacedModel<FakeHead>({
    ringId: "ring",
    request,
    proposedBy: "a",
    self,
    ownRecord: () => self,
    membership,
    unfit: new UnfitNodes(systemClock),
    models: {
      header: async () => ({ id: "tiny", spec: "tiny", bytes: 1, hash: "", info: modelOf([1]), defaults: {} }),
      resolvePart: async () => ({ path: "/tiny.gguf" }),
    },
    mayPlace: async () => {
      asked.mayPlace += 1;
    },
    place: async (_model, _request, _signal, remains) => {
      asked.remains.push(remains?.ringIds ?? null);
      await asked.planned;
      return placement;
    },
    handOver: async ({ head }) => {
      handedTo.push(head);
    },
    openHead: async () => {
      const next = tries.shift();
      if (next instanceof FakeHead) {
        next.onChecked = (isHealed) => asked.healed.push(isHealed);
        return next;
      }
      throw next ?? new ExoError("internal", "The test expected no further try.");
    },
    onChange: (record) => {
      if (states.at(-1) !== record.state) states.push(record.state);
    },
    retryMs: 0,
    clock: systemClock,
    logger: silentLogger,
  });
  return { placed, states, handedTo, asked };
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

  test("a ring that was ready is formed anew when the disk has room again", async (context) => {
    const [first, second] = [new FakeHead(), new FakeHead()];
    const full = new ExoError("disk_full", "The disk is full.");
    const { placed } = modelThatComesTo([first, full, full, second]);
    context.after(() => placed.stop());
    placed.start();
    await placed.whenReady(anySignal);
    first.break();
    await eventually(async () => assert.ok(placed.head === second, "the second head serves"));
  });

  test("a ring that breaks is placed again at once, and who asks meanwhile waits for it", async (context) => {
    const [first, second] = [new FakeHead(), new FakeHead()];
    const { placed, asked } = modelThatComesTo([first, new ExoError("stage_lost", "It left, too."), second]);
    context.after(() => placed.stop());
    placed.start();
    await placed.whenReady(anySignal);
    let plan = (): void => {};
    asked.planned = new Promise((resolve) => {
      plan = resolve;
    });
    first.break();
    await eventually(async () => assert.equal(placed.record().state, "failed"));
    assert.equal(placed.record().healing, true);
    const next = placed.usage.begin(anySignal).then(() => placed.head);
    plan();
    assert.equal(await next, second);
    assert.equal(placed.record().healing, undefined);
    assert.deepEqual(asked.remains, [null, ["ring"], ["ring"]]);
    assert.deepEqual(asked.healed, [false, true]);
    assert.equal(asked.mayPlace, 1, "who had the ring goes on with it");
    assert.deepEqual(first.keptBy, [true]);
  });

  test("what is unloaded is not kept", async () => {
    const head = new FakeHead();
    const { placed } = modelThatComesTo([head]);
    placed.start();
    await placed.whenReady(anySignal);
    await placed.stop(new ExoError("not_ready", "The model was unloaded."));
    assert.deepEqual(head.keptBy, [false]);
  });

  test("a model that does not fit at first is refused for good", async () => {
    const { placed } = modelThatComesTo([tooLittle(), new FakeHead()]);
    placed.start();
    await assert.rejects(placed.whenReady(anySignal), { code: "out_of_memory" });
    await placed.stop();
  });

  test("a ring is placed anew when what was begun is answered; what comes meanwhile waits for it", async (context) => {
    const [first, second] = [new FakeHead(), new FakeHead()];
    const { placed, states } = modelThatComesTo([first, second]);
    context.after(() => placed.stop());
    placed.start();
    await placed.whenReady(anySignal);
    const end = await placed.usage.begin(anySignal);
    const again = placed.placeAgain("A node has come.");
    const next = placed.usage.begin(anySignal).then(() => placed.head);
    assert.equal(placed.head, first);
    assert.deepEqual(first.closedBy, []);
    end();
    await again;
    assert.equal(await next, second);
    assert.deepEqual(
      first.closedBy.map(({ code }) => code),
      ["not_ready"],
    );
    assert.deepEqual(placed.record().planReasons, ["A node has come.", "because"]);
    assert.ok(!states.includes("failed"), states.join(" "));
  });

  test("a ring whose planned head is another node is handed over, and nothing is loaded here", async () => {
    const { placed, handedTo } = modelThatComesTo([], "b");
    placed.start();
    await eventually(async () => assert.deepEqual(handedTo, ["b"]));
    await placed.stop();
    assert.equal(placed.failure, null);
  });
});
