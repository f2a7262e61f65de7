import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { modelRequest, parseModelRequest } from "../../src/cluster/model-request.js";
import { parseRingRecord } from "../../src/cluster/node-record.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { ExoError } from "../../src/core/errors.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { plaintextCredentials } from "../../src/transport/credentials.js";
import type { NodeService, StopModelOrder } from "../../src/transport/node-service.js";
import { SETTINGS } from "../support/manager-network.js";
import { BUILD, failsWith, startNode } from "./transport-harness.js";

async function clientOf(context: TestContext, service: Partial<NodeService>): Promise<ControlClient> {
  const node = await startNode(context, { service });
  const caller = { ...BUILD, nodeId: "id-caller" };
  const client = new ControlClient({ peer: node.address, credentials: plaintextCredentials(), caller });
  context.after(() => client.close());
  return client;
}

const REQUEST = modelRequest(
  "npm:pkg@1.0.0/model.gguf",
  { ...SETTINGS, keepAlive: 90 },
  { pinned: true, layers: [{ node: "a", begin: 0, end: 4 }] },
);

const RING = emptyRingRecord({ id: "ring", spec: "tiny", replica: 0, proposedBy: "a", pinned: true });

const ORDER: StopModelOrder = {
  ringId: "ring",
  model: "tiny",
  spec: "/models/tiny.gguf",
  askedAs: "tiny",
  replica: 2,
  onlyIfIdle: true,
};

describe("placing a model", () => {
  test("takes the request to the head, and its ring back", async (t) => {
    const asked: unknown[] = [];
    const client = await clientOf(t, {
      async placeModel({ ringId, askedBy, request }) {
        asked.push([ringId, askedBy, parseModelRequest(request)]);
        return RING;
      },
    });
    const ring = await client.placeModel({ ringId: "ring", request: REQUEST, askedBy: "node-a" });
    assert.deepEqual(parseRingRecord(ring), RING);
    assert.deepEqual(asked, [["ring", "node-a", REQUEST]]);
  });

  test("a request that cannot be meant is refused by the field, and a ring that cannot be read too", async (t) => {
    const client = await clientOf(t, {
      async placeModel({ request }) {
        return parseModelRequest(request);
      },
    });
    const place = (request: unknown, ringId = "ring") => client.placeModel({ ringId, request, askedBy: "a" });
    await assert.rejects(place(REQUEST, "two words"), failsWith("invalid_argument", "ringId"));
    const wrong = [
      [null, "its root"],
      [{ ...REQUEST, spec: "" }, "spec"],
      [{ ...REQUEST, minNodes: 0 }, "minNodes"],
      [{ ...REQUEST, ring: { ...REQUEST.ring, slots: 1e9 } }, "ring.slots"],
      [{ ...REQUEST, keepAliveSeconds: -1 }, "keepAliveSeconds"],
      [{ ...REQUEST, strategy: "luck" }, "strategy"],
    ] as const;
    for (const [request, field] of wrong) await assert.rejects(place(request), failsWith("invalid_argument", field));
    const answer = await place(REQUEST);
    assert.throws(() => parseRingRecord(answer), failsWith("peer_incompatible", "id"));
  });

  test("fails at the caller as it failed at the head", async (t) => {
    const client = await clientOf(t, {
      placeModel: async () => {
        throw new ExoError("out_of_memory", "tiny does not fit.");
      },
    });
    const placing = client.placeModel({ ringId: "ring", request: REQUEST, askedBy: "a" });
    await assert.rejects(placing, failsWith("out_of_memory", "does not fit"));
  });
});

describe("stopping a model", () => {
  test("takes the order to the head, and back whether there was a ring", async (t) => {
    const orders: StopModelOrder[] = [];
    const client = await clientOf(t, {
      async stopModel(order) {
        orders.push(order);
        return order.onlyIfIdle;
      },
    });
    assert.equal(await client.stopModel(ORDER), true);
    assert.equal(await client.stopModel({ ...ORDER, onlyIfIdle: false }), false);
    assert.deepEqual(orders, [ORDER, { ...ORDER, onlyIfIdle: false }]);
    await assert.rejects(client.stopModel({ ...ORDER, model: "" }), failsWith("invalid_argument", "model"));
  });
});
