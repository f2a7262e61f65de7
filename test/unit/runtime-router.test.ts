import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FoundRing } from "../../src/cluster/found-rings.js";
import type { PeerClient } from "../../src/cluster/membership.js";
import { emptyRingRecord } from "../../src/cluster/ring-record.js";
import { type ErrorCode, ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest } from "../../src/core/inference.js";
import { Router } from "../../src/runtime/router.js";
import { endless, finished, type Script, ScriptedInference, STARTED, saying } from "../api/scripted-inference.js";

const anySignal = new AbortController().signal;

const request: InferenceRequest = {
  id: "1",
  model: "alias",
  input: { kind: "text", prompt: "p" },
  sampling: {},
  stop: [],
  logprobs: 0,
};

/** A ring on another node that answers as the script says. */
class OtherNode extends ScriptedInference implements PeerClient {
  hello = unused;
  health = unused;
  gossip = unused;
  probeModel = unused;
  offerModel = unused;
  hashModel = unused;
  readModel = unused;
  loadStage = unused;
  unloadStage = unused;
  drain = unused;
  placeModel = unused;
  stopModel = unused;
  readTraces = unused;
  close = (): void => {};
}

function unused(): never {
  throw new ExoError("internal", "A router does not ask that.");
}

function ringOf(id: string, client: PeerClient | null, busySlots = 0, waitingRequests = 0): FoundRing {
  const empty = emptyRingRecord({ id, spec: "spec", replica: 0, proposedBy: id, pinned: false });
  return {
    ring: { ...empty, model: "model", state: "ready", busySlots, waitingRequests },
    head: id,
    client,
    reachable: true,
  };
}

function routerOver(local: ScriptedInference, rings: readonly FoundRing[]): Router {
  return new Router(local, { ensure: async () => "model", serving: () => rings });
}

function refusing(code: ErrorCode, first: readonly InferenceEvent[] = []): Script {
  return async function* () {
    yield* first;
    throw new ExoError(code, `It is ${code}.`);
  };
}

async function all(events: AsyncIterable<InferenceEvent>): Promise<readonly InferenceEvent[]> {
  const read: InferenceEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

const text = (events: readonly InferenceEvent[]): string =>
  events.map((event) => (event.type === "delta" ? event.text : "")).join("");

describe("Router", () => {
  test("has a head tell its load anew when the last answer through this node has ended", async () => {
    const other = new OtherNode(() => saying(["yes"]));
    const refreshed: string[] = [];
    const directory = { ensure: async () => "model", serving: () => [ringOf("there", other)] };
    const router = new Router(new ScriptedInference(), directory, (nodeId) => refreshed.push(nodeId));
    const first = router.generate(request, anySignal);
    await first.next();
    await all(router.generate(request, anySignal));
    assert.deepEqual(refreshed, [], "another one is still under way");
    await all(first);
    assert.deepEqual(refreshed, ["there"]);
    const own = new Router(
      new ScriptedInference(() => saying(["here"])),
      { ensure: async () => "model", serving: () => [ringOf("here", null)] },
      () => assert.fail("this node knows its own load"),
    );
    await all(own.generate(request, anySignal));
  });

  test("asks the ring with least to do, by a name that is no other model's, and this node's own among equals", async () => {
    const local = new ScriptedInference(() => saying(["local"]));
    const [idle, busy] = [new OtherNode(() => saying(["idle"])), new OtherNode(() => saying(["busy"]))];
    const here = ringOf("here", null, 1, 1);
    const router = routerOver(local, [ringOf("busy", busy, 2, 3), here, ringOf("idle", idle, 1)]);
    assert.equal(text(await all(router.generate(request, anySignal))), "idle");
    assert.equal(idle.requests[0]?.model, "spec");
    const equal = routerOver(local, [ringOf("there", busy, 2), here]);
    assert.equal(text(await all(equal.generate(request, anySignal))), "local");
  });

  test("counts what it has under way itself, of which heads have not told yet", async () => {
    const signal = AbortSignal.timeout(60_000);
    const there = new OtherNode((_, abort) => endless(async () => {}, abort));
    const other = new OtherNode(() => saying(["other"]));
    const router = routerOver(new ScriptedInference(), [ringOf("there", there), ringOf("other", other)]);
    const first = router.generate(request, signal);
    await first.next();
    assert.equal(text(await all(router.generate(request, signal))), "other");
    await first.return();
    const again = router.generate(request, signal);
    await again.next();
    await again.return();
    assert.equal(there.requests.length, 2);
  });

  for (const code of ["overloaded", "not_ready", "stage_lost", "peer_unreachable"] as const) {
    test(`tries another ring when one refuses before its first token: ${code}`, async () => {
      const full = new OtherNode(refusing(code, code === "stage_lost" ? [STARTED] : []));
      const router = routerOver(new ScriptedInference(), [ringOf("full", full), ringOf("here", null, 3)]);
      const events = await all(router.generate(request, anySignal));
      assert.deepEqual(
        events.map(({ type }) => type),
        ["started", "delta", "delta", "delta", "delta", "finished"],
      );
      assert.equal(full.requests.length, 1);
    });
  }

  test("says no when all refuse, and does not begin anew what has begun", async () => {
    const full = new OtherNode(refusing("overloaded"));
    const both = routerOver(new ScriptedInference(refusing("overloaded")), [ringOf("f", full), ringOf("h", null)]);
    await assert.rejects(all(both.generate(request, anySignal)), { code: "overloaded" });
    assert.equal(full.requests.length, 1);
    const lost = new OtherNode(refusing("stage_lost", [STARTED, { type: "delta", text: "Par" }]));
    const router = routerOver(new ScriptedInference(), [ringOf("lost", lost), ringOf("here", null, 3)]);
    await assert.rejects(all(router.generate(request, anySignal)), { code: "stage_lost" });
  });

  test("does not try again what is wrong with the request", async () => {
    const strict = new OtherNode(refusing("context_exceeded"));
    const local = new ScriptedInference();
    const router = routerOver(local, [ringOf("strict", strict), ringOf("here", null, 3)]);
    await assert.rejects(all(router.generate(request, anySignal)), { code: "context_exceeded" });
    assert.equal(local.requests.length, 0);
  });

  test("an answer without a token is passed on whole", async () => {
    const quiet = new OtherNode(async function* () {
      yield STARTED;
      yield finished("length", 0);
    });
    const router = routerOver(new ScriptedInference(), [ringOf("quiet", quiet)]);
    assert.equal((await all(router.generate(request, anySignal))).length, 2);
  });

  test("asks another ring for embeddings where one refuses, and passes on what is wrong with the texts", async () => {
    const wanted = { id: "1", model: "alias", inputs: ["a"], normalize: true };
    const [full, other] = [new OtherNode(), new OtherNode()];
    full.embed = async () => {
      throw new ExoError("overloaded", "The queue is full.");
    };
    const router = routerOver(new ScriptedInference(), [ringOf("full", full), ringOf("other", other, 3)]);
    assert.equal((await router.embed(wanted, anySignal)).length, 1);
    assert.equal(other.embeddings[0]?.model, "spec");
    other.embed = async () => {
      throw new ExoError("context_exceeded", "The text is too long.");
    };
    await assert.rejects(router.embed(wanted, anySignal), { code: "context_exceeded" });
  });
});
