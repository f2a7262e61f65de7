import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type ErrorCode, ExoError } from "../../src/core/errors.js";
import type { InferenceEvent, InferenceRequest } from "../../src/core/inference.js";
import { silentLogger } from "../../src/core/ports.js";
import { Router } from "../../src/runtime/router.js";
import { finished, logprob, type Script, ScriptedInference, STARTED } from "../api/scripted-inference.js";
import { settled } from "../support/manual-time.js";
import { OtherNode, RingShelf, ringOf } from "../support/ring-shelf.js";

const anySignal = new AbortController().signal;
const WORDS = ["Once ", "upon ", "a ", "time"];
const WHOLE = WORDS.join("");
const HEAL_MS = 10_000;

const request: InferenceRequest = {
  id: "1",
  model: "model",
  input: { kind: "text", prompt: "p" },
  sampling: {},
  stop: [],
  logprobs: 0,
};

const lost = (code: ErrorCode = "stage_lost"): ExoError => new ExoError(code, `It is ${code}.`);

/** A head that says a word for each token, from where the request says; it fails after so many, or before the last mark. */
function head(breakAfter = Number.POSITIVE_INFINITY, error = lost()): Script {
  return async function* ({ resume }) {
    const from = resume?.tokens.length ?? 0;
    yield { ...STARTED, cachedTokens: from === 0 ? 3 : 5 };
    for (const [token, text] of WORDS.entries()) {
      if (token < from) continue;
      if (token >= from + breakAfter) throw error;
      yield { type: "delta", text, tokens: [token] };
    }
    yield finished("stop", WORDS.length);
  };
}

const textOf = (events: readonly InferenceEvent[]): string =>
  events.map((event) => (event.type === "delta" ? event.text : "")).join("");

async function all(events: AsyncIterable<InferenceEvent>, read: InferenceEvent[] = []): Promise<InferenceEvent[]> {
  for await (const event of events) read.push(event);
  return read;
}

/** A router whose clock goes when the test says so. */
function recovering(context: TestContext, script: Script, queueLimit = 2) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const node = new OtherNode(script);
  const shelf = new RingShelf([ringOf("a", node)]);
  let now = 0;
  const router = new Router({
    local: new ScriptedInference(),
    directory: shelf,
    healTimeoutMs: HEAL_MS,
    queueLimit,
    refresh: () => {},
    traces: null,
    clock: { monotonic: () => now, wall: () => now },
    logger: silentLogger,
  });
  const pass = async (milliseconds: number): Promise<void> => {
    await settled();
    now += milliseconds;
    context.mock.timers.tick(milliseconds);
    await settled();
  };
  return { router, node, shelf, pass };
}

describe("an answer whose ring is lost", () => {
  test("goes on with another ring that is ready, and its reader sees one answer", async (context) => {
    const { router, node, shelf } = recovering(context, head(2));
    const other = new OtherNode(head());
    shelf.set([ringOf("a", node), ringOf("b", other, 3)]);
    const events = await all(router.generate(request, anySignal));
    assert.deepEqual(
      events.map((event) => (event.type === "delta" ? event : event.type)),
      ["started", ...WORDS.map((text) => ({ type: "delta", text })), "finished"],
    );
    assert.deepEqual(other.requests[0]?.resume?.tokens, [0, 1]);
    assert.equal(node.requests[0]?.resume, undefined);
    const end = events.at(-1);
    assert.ok(end?.type === "finished");
    assert.equal(end.usage.cachedTokens, 3, "what the first ring found in its cache");
  });

  test("is asked with one seed throughout, its own where it has one", async (context) => {
    const { router, node, shelf } = recovering(context, head(1));
    shelf.set([ringOf("a", node), ringOf("b", new OtherNode(head()))]);
    await all(router.generate(request, anySignal));
    const seeds = shelf.serving().map(({ client }) => (client as OtherNode).requests[0]?.sampling.seed);
    assert.equal(typeof seeds[0], "number");
    assert.equal(seeds[0], seeds[1]);
    node.script = head();
    await all(router.generate({ ...request, sampling: { seed: 7 } }, anySignal));
    assert.equal(node.requests.at(-1)?.sampling.seed, 7);
  });

  test("waits for the ring to come back", async (context) => {
    const { router, node, shelf, pass } = recovering(context, head(2));
    const read: InferenceEvent[] = [];
    const answer = all(router.generate(request, anySignal), read);
    await settled();
    shelf.broke("A stage is lost.");
    await pass(HEAL_MS / 2);
    assert.equal(textOf(read), "Once upon ");
    node.script = head();
    shelf.healed();
    assert.equal(textOf(await answer), WHOLE);
    assert.deepEqual(node.requests.at(-1)?.resume, { tokens: [0, 1], elapsedSeconds: HEAL_MS / 2000 });
    assert.equal(shelf.listeners, 0);
  });

  test("waits also where there is no ring, and none that is known", async (context) => {
    const { router, node, shelf, pass } = recovering(context, head(2, lost("peer_unreachable")));
    const answer = all(router.generate(request, anySignal));
    await settled();
    shelf.refusal = lost("model_not_found");
    shelf.set([]);
    await pass(1000);
    node.script = head();
    shelf.refusal = null;
    shelf.set([ringOf("another", node)]);
    assert.equal(textOf(await answer), WHOLE);
  });

  test("asks the same ring again where that was lost from sight for a moment only", async (context) => {
    const { router, node, pass } = recovering(context, head(2, lost("cancelled")));
    const answer = all(router.generate(request, anySignal));
    await settled();
    node.script = head();
    await pass(100);
    assert.equal(textOf(await answer), WHOLE);
  });

  test("ends with what is missing when no ring comes in time", async (context) => {
    const { router, shelf, pass } = recovering(context, head(2));
    const answer = all(router.generate(request, anySignal));
    const failed = assert.rejects(answer, { code: "not_ready", message: /within 10 s.*1 of 2 nodes/ });
    await settled();
    shelf.broke("It waits: 1 of 2 nodes are there.");
    for (let waited = 0; waited <= HEAL_MS; waited += 1000) await pass(1000);
    await failed;
    shelf.healed();
    assert.equal(shelf.listeners, 0);
  });

  test("ends at once when it is clear that no ring will come", async (context) => {
    const { router, shelf } = recovering(context, head(2));
    const failed = assert.rejects(all(router.generate(request, anySignal)), { message: /does not fit/ });
    await settled();
    shelf.refusal = new ExoError("not_ready", "It does not fit.", { retryable: false });
    shelf.broke("It does not fit.");
    await failed;
  });

  test("ends when the request's own time is over", async (context) => {
    const { router, shelf, pass } = recovering(context, head(2));
    const answer = all(router.generate({ ...request, timeoutSeconds: 3 }, anySignal));
    const failed = assert.rejects(answer, { code: "deadline_exceeded" });
    await settled();
    shelf.broke("A stage is lost.");
    await pass(3000);
    await failed;
  });

  test("is let go at once when its reader hangs up meanwhile", async (context) => {
    const { router, shelf } = recovering(context, head(2), 1);
    const gone = new AbortController();
    const answer = all(router.generate(request, gone.signal));
    const failed = assert.rejects(answer, { code: "cancelled" });
    await settled();
    shelf.broke("A stage is lost.");
    await settled();
    gone.abort();
    await failed;
    await settled();
    // Its place is free.
    const next = all(router.generate(request, anySignal));
    await settled();
    shelf.healed();
    await assert.doesNotReject(Promise.race([next, settled()]));
  });

  test("tells its last words once, though nobody said that they were the last", async (context) => {
    const cut: Script = async function* () {
      yield STARTED;
      yield { type: "delta", text: "Once ", tokens: [0] };
      yield { type: "delta", text: "upon" };
      throw lost();
    };
    const { router, node, shelf } = recovering(context, cut);
    const other = new OtherNode(async function* () {
      yield STARTED;
      yield { type: "delta", text: "upon" };
      yield finished("stop", 2);
    });
    shelf.set([ringOf("a", node), ringOf("b", other, 3)]);
    assert.equal(textOf(await all(router.generate(request, anySignal))), "Once upon");
    assert.deepEqual(other.requests[0]?.resume?.tokens, [0]);
  });

  test("gives the next ring the log-probabilities that are still to be told", async (context) => {
    const held = [logprob("x", -1)];
    const cut: Script = async function* () {
      yield STARTED;
      yield { type: "delta", text: "Once ", tokens: [0, 1], held };
      throw lost();
    };
    const { router, node, shelf } = recovering(context, cut);
    const other = new OtherNode(head());
    shelf.set([ringOf("a", node), ringOf("b", other, 3)]);
    const events = await all(router.generate(request, anySignal));
    assert.deepEqual(other.requests[0]?.resume?.held, held);
    assert.ok(events.every((event) => !("held" in event)));
  });

  for (const [name, error] of [
    ["is wrong with the request", lost("invalid_argument")],
    ["is over", lost("deadline_exceeded")],
    ["was unloaded", new ExoError("not_ready", "The model was unloaded.", { retryable: false })],
  ] as const) {
    test(`is not begun again by what ${name}`, async (context) => {
      const { router, node } = recovering(context, head(2, error));
      await assert.rejects(all(router.generate(request, anySignal)), { message: error.message });
      assert.equal(node.requests.length, 1);
    });
  }

  test("is given to few rings only when each of them breaks before it says a word", async (context) => {
    const { router, node, shelf, pass } = recovering(context, head(0));
    const failed = assert.rejects(all(router.generate(request, anySignal)), {
      code: "stage_lost",
      message: /^Ring after ring .*It is stage_lost/,
    });
    for (let lives = 0; lives < 6; lives += 1) {
      await pass(3000);
      shelf.healed();
    }
    await failed;
    assert.equal(node.requests.length, 4);
  });

  test("goes on as long as each ring says a word", async (context) => {
    const { router, node, shelf } = recovering(context, head(1));
    const answer = all(router.generate(request, anySignal));
    for (let lives = 0; lives < WORDS.length; lives += 1) {
      await settled();
      shelf.healed();
    }
    assert.equal(textOf(await answer), WHOLE);
    assert.equal(node.requests.length, WORDS.length);
  });

  test("cannot go on where the head names no tokens", async (context) => {
    const mute: Script = async function* () {
      yield STARTED;
      for (const text of WORDS) yield { type: "delta", text };
      throw lost();
    };
    const { router, node } = recovering(context, mute);
    await assert.rejects(all(router.generate(request, anySignal)), { code: "stage_lost" });
    assert.equal(node.requests.length, 1);
  });
});

describe("requests that come while a ring heals", () => {
  test("wait up to the limit; beyond it there is no room", async (context) => {
    const { router, shelf } = recovering(context, head(), 2);
    shelf.broke("A stage is lost.");
    const waiting = [1, 2].map(() => all(router.generate(request, anySignal)));
    await settled();
    await assert.rejects(all(router.generate(request, anySignal)), {
      code: "overloaded",
      message: /model is not ready.*\(2\)/,
    });
    shelf.healed();
    for (const answer of await Promise.all(waiting)) assert.equal(textOf(answer), WHOLE);
  });

  test("wait together, from when the ring was missed first", async (context) => {
    const { router, shelf, pass } = recovering(context, head());
    shelf.broke("A stage is lost.");
    const first = assert.rejects(all(router.generate(request, anySignal)), { code: "not_ready" });
    await pass(HEAL_MS / 2);
    const second = assert.rejects(all(router.generate(request, anySignal)), { code: "not_ready" });
    await pass(HEAL_MS / 2);
    await Promise.all([first, second]);
    shelf.healed();
    shelf.broke("A stage is lost again.");
    const third = all(router.generate(request, anySignal));
    await pass(HEAL_MS / 2);
    shelf.healed();
    assert.equal(textOf(await third), WHOLE);
  });

  test("do not wait for a model that was never there", async (context) => {
    const { router, shelf } = recovering(context, head());
    shelf.set([]);
    shelf.refusal = new ExoError("not_ready", "1 of 2 nodes are there.");
    await assert.rejects(all(router.generate(request, anySignal)), { message: /1 of 2/ });
  });
});

describe("short questions", () => {
  test("are asked again where their ring broke, but not for ever", async (context) => {
    const { router, node, shelf, pass } = recovering(context, head());
    let asked = 0;
    node.tokenize = async () => {
      asked += 1;
      if (asked < 3) throw lost();
      return [1, 2];
    };
    const tokens = router.tokenize({ model: "model", text: "ab", addSpecial: true, parseSpecial: true }, anySignal);
    for (let times = 0; times < 2; times += 1) {
      await settled();
      shelf.healed();
    }
    assert.deepEqual(await tokens, [1, 2]);
    node.embed = async () => {
      asked += 1;
      throw lost();
    };
    asked = 0;
    const embedded = router.embed({ id: "1", model: "model", inputs: ["a"], normalize: true }, anySignal);
    const failed = assert.rejects(embedded, { code: "stage_lost" });
    for (let times = 0; times < 6; times += 1) {
      await pass(3000);
      shelf.healed();
    }
    await failed;
    assert.equal(asked, 4);
  });
});
