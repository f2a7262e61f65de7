import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ClientTurns, greediest } from "../../src/runtime/client-turns.js";
import { Turnover } from "../../src/runtime/turnover.js";
import { heldScheduler, RecordedJob } from "../support/held-pipeline.js";
import { ManualTime } from "../support/manual-time.js";
import { SteppedStages } from "../support/stepped-stages.js";

describe("when to come again", () => {
  test("is by how fast slots are given, later for each who is turned away", async () => {
    const clock = new ManualTime();
    const turnover = new Turnover(clock);
    assert.equal(turnover.turnAway(true), 1, "nothing is known yet");
    for (let index = 0; index < 50; index += 1) {
      turnover.admitted();
      await clock.advance(2000);
    }
    assert.deepEqual(
      [1, 2, 3].map(() => turnover.turnAway(true)),
      [2, 4, 6],
    );
    assert.deepEqual(
      [1, 2, 3].map(() => turnover.turnAway(false)),
      [8, 8, 8],
      "who has some in it already",
    );
    for (let more = 0; more < 1000; more += 1) turnover.turnAway(true);
    assert.equal(turnover.turnAway(true), 12, "spread over ten seconds");
    await clock.advance(10_000_000);
    assert.equal(turnover.turnAway(true), 60, "nothing has moved for hours");
    await clock.advance(60_000);
    turnover.idle();
    assert.equal(turnover.turnAway(true), 1, "those who were told to come later have come");
  });
});

interface Named {
  readonly job: { readonly client: string };
  readonly name: string;
}

/** `a1 b1` → jobs of the clients a and b. */
function jobs(text: string): readonly Named[] {
  return text.split(" ").map((name) => ({ job: { client: name.charAt(0) }, name }));
}

function order(turns: ClientTurns, waiting: string, running = ""): string {
  const busy = running === "" ? [] : jobs(running).map(({ job }) => job);
  return [...turns.order(jobs(waiting), busy)].map(({ name }) => name).join(" ");
}

describe("whose turn it is", () => {
  test("is his who came first, where all are one client's", () => {
    assert.equal(order(new ClientTurns(), "a1 a2 a3"), "a1 a2 a3");
    assert.equal(order(new ClientTurns(), "a1 a2 a3", "a a a"), "a1 a2 a3");
  });

  test("goes round among clients, however many one has sent before the others came", () => {
    assert.equal(order(new ClientTurns(), "a1 a2 a3 a4 b1 c1 b2"), "a1 b1 c1 a2 b2 a3 a4");
  });

  test("is first that of those who have fewest slots, then of those who were served longest ago", () => {
    assert.equal(order(new ClientTurns(), "a1 a2 b1", "a"), "b1 a1 a2");
    const turns = new ClientTurns();
    turns.served({ client: "a" });
    turns.served({ client: "b" });
    assert.equal(order(turns, "b1 a1"), "a1 b1");
    assert.equal(order(turns, "b1 c1 a1"), "c1 a1 b1");
  });

  test("forgets who neither waits nor is served", () => {
    const turns = new ClientTurns();
    turns.served({ client: "a" });
    order(turns, "b1");
    assert.equal(order(turns, "b1 a1"), "b1 a1");
  });

  test("comes for each job once, in its client's order, and no client waits for more than one of each other", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 60 }), (clients) => {
        const waiting = clients.map((client, index) => ({ job: { client }, index }));
        const served = [...new ClientTurns().order(waiting, [])];
        assert.deepEqual(
          served.map(({ index }) => index).toSorted((a, b) => a - b),
          [...clients.keys()],
        );
        for (const client of new Set(clients)) {
          const own = served.filter(({ job }) => job.client === client).map(({ index }) => index);
          assert.deepEqual(
            own,
            own.toSorted((a, b) => a - b),
          );
          const others = new Set(clients).size - 1;
          const first = served.findIndex(({ job }) => job.client === client);
          assert.ok(first <= others, `${client} waits for ${first}`);
        }
      }),
    );
  });
});

describe("who has most waiting jobs", () => {
  test("loses the last of them", () => {
    const waiting = jobs("a1 b1 b2 c1 b3 a2").map(({ job, name }) => ({ ...job, name }));
    const { job, count } = greediest(waiting);
    assert.deepEqual([job?.name, count], ["b3", 3]);
    assert.deepEqual(greediest([]), { job: null, count: 0 });
  });
});

class ClientJob extends RecordedJob {
  constructor(
    readonly client: string,
    seed: number,
  ) {
    super([1000 * seed + 3, 1000 * seed + 4], 3);
  }
}

describe("a client that fills the queue", () => {
  test("keeps no other one out: he gives up places, and slots in turn", async () => {
    const { pipeline, scheduler } = heldScheduler({ slots: 2, queue: 8, stages: 1, context: 64, microBatch: 32 });
    const steps = new SteppedStages(pipeline);
    const greedy = Array.from({ length: 10 }, (_, index) => new ClientJob("greedy", index + 1));
    for (const job of greedy) scheduler.submit(job);
    assert.throws(() => scheduler.submit(new ClientJob("greedy", 50)), { code: "overloaded" });
    const modest = [60, 61, 62].map((seed) => new ClientJob("modest", seed));
    for (const job of modest) scheduler.submit(job);
    const displaced = greedy.filter(({ outcomes }) => outcomes.length > 0);
    assert.deepEqual(displaced, greedy.slice(-3), "the last of his, and no more than there was need of");
    for (const { outcomes } of displaced) {
      const [outcome] = outcomes;
      assert.ok(outcome?.kind === "failed" && outcome.error.code === "overloaded");
    }
    const ended: string[] = [];
    while (pipeline.running.length > 0) {
      await steps.step();
      for (const job of [...greedy, ...modest]) {
        if (job.tokens.length === 3 && !ended.includes(nameOf(job))) ended.push(nameOf(job));
      }
    }
    const last = Math.max(...modest.map((job) => ended.indexOf(nameOf(job))));
    assert.ok(last <= 6, `the modest one is served among the first: ${ended.join(" ")}`);
    for (const job of [...greedy.slice(0, 7), ...modest]) assert.equal(job.tokens.length, 3);
    assert.deepEqual(scheduler.stats(), { slots: 2, busySlots: 0, waiting: 0, microBatchesUnderWay: 0 });

    function nameOf(job: ClientJob): string {
      return `${job.client}-${[...greedy, ...modest].indexOf(job)}`;
    }
  });

  test("is refused himself as soon as he has no more than his share", () => {
    const { scheduler } = heldScheduler({ slots: 1, queue: 4, stages: 1, context: 64, microBatch: 32 });
    scheduler.submit(new ClientJob("x", 1));
    for (const [index, client] of ["a", "a", "b", "b"].entries()) scheduler.submit(new ClientJob(client, 10 + index));
    assert.throws(() => scheduler.submit(new ClientJob("a", 20)), { code: "overloaded" });
    assert.doesNotThrow(() => scheduler.submit(new ClientJob("c", 21)));
    assert.throws(() => scheduler.submit(new ClientJob("c", 22)), { code: "overloaded" });
    assert.equal(scheduler.stats().waiting, 4);
  });
});
