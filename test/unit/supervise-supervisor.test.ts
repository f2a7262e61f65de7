import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CrashReport } from "../../src/cli/supervise/crash-report.js";
import type { NodeEnd } from "../../src/cli/supervise/node-child.js";
import type { Supervision } from "../../src/cli/supervise/supervision.js";
import { Supervisor } from "../../src/cli/supervise/supervisor.js";

const MINUTE = 60_000;

const CRASH: NodeEnd = {
  exitCode: null,
  signal: "SIGSEGV",
  goodbye: null,
  identity: { nodeId: "me", http: 1234, grpc: 5678 },
  uptime: MINUTE,
  stages: [],
  memoryBytes: null,
  thrown: null,
  stderr: [],
  log: [],
};
const FAREWELL: NodeEnd = { ...CRASH, exitCode: 0, signal: null, goodbye: 0 };

/** A supervisor of processes that end as the list says, one after the other; the last of them runs until it is asked. */
function setUp(ends: readonly (NodeEnd | "runs")[], kills: readonly number[] = []) {
  const stop = new AbortController();
  const seen = {
    started: [] as Omit<Supervision, "terminal">[],
    waits: [] as number[],
    said: [] as string[],
    reports: [] as CrashReport[],
    asked: 0,
    killed: 0,
    stop: () => stop.abort(),
  };
  let looks = 0;
  const supervisor = new Supervisor({
    name: "studio",
    spawn: (supervision) => {
      const end = ends[seen.started.length] ?? "runs";
      seen.started.push(supervision);
      let resolve: (end: NodeEnd) => void = () => {};
      const ended = new Promise<NodeEnd>((settle) => {
        resolve = settle;
      });
      if (end !== "runs") resolve(end);
      return {
        ended,
        stop: () => {
          seen.asked += 1;
          resolve(FAREWELL);
        },
        kill: () => {
          seen.killed += 1;
          resolve({ ...CRASH, signal: "SIGKILL" });
        },
      };
    },
    stop,
    store: {
      keep: async (report) => {
        seen.reports.push(report);
        return "/crashes/one.json";
      },
    },
    machine: {
      oomKills: async () => kills[looks++] ?? 0,
      memory: async () => ({ free: 1, total: 2, limit: null }),
    },
    say: (_, sentence) => seen.said.push(sentence),
    pause: async (wait) => {
      seen.waits.push(wait);
    },
    wall: () => 1_700_000_000_000,
  });
  return { seen, supervisor };
}

describe("the supervisor", () => {
  test("an end that was meant is passed on, whatever the code, and nothing is started again", async () => {
    for (const code of [0, 1, 2]) {
      const { seen, supervisor } = setUp([{ ...FAREWELL, exitCode: code, goodbye: code }]);
      assert.equal(await supervisor.run(), code);
      assert.deepEqual([seen.started.length, seen.said, seen.reports], [1, [], []]);
    }
  });

  test("an end without fault is meant, also when the process could not say so", async () => {
    const { seen, supervisor } = setUp([{ ...FAREWELL, goodbye: null }]);
    assert.equal(await supervisor.run(), 0);
    assert.equal(seen.reports.length, 0);
  });

  test("after a crash the node is started as what it was, with a sentence and a report", async () => {
    const { seen, supervisor } = setUp([CRASH, { ...CRASH, identity: null }, FAREWELL]);
    assert.equal(await supervisor.run(), 0);
    assert.deepEqual(seen.started, [
      { restarts: 0, kept: null, refused: [] },
      { restarts: 1, kept: CRASH.identity, refused: [] },
      { restarts: 2, kept: CRASH.identity, refused: [] },
    ]);
    assert.deepEqual(seen.waits, [500, 1000]);
    assert.equal(
      seen.said[0],
      "The node crashed: it was ended by SIGSEGV. It starts again in 0.5 s. The report is /crashes/one.json; exo-native doctor tells of it.",
    );
    assert.deepEqual(
      seen.reports.map(({ kind, started, crashesInARow }) => [kind, started, crashesInARow]),
      [
        ["signal", true, 1],
        ["signal", false, 2],
      ],
    );
  });

  test("a node that crashes at each start is given up clearly", async () => {
    const { seen, supervisor } = setUp(Array.from({ length: 10 }, () => ({ ...CRASH, uptime: 100 })));
    assert.equal(await supervisor.run(), 1);
    assert.equal(seen.started.length, 6);
    assert.match(seen.said.at(-1) ?? "", /does so at each start \(6 times in a row\): it is not started again/);
  });

  test("a start that fails after a crash is tried again, bad usage is not", async () => {
    const failed = { ...FAREWELL, exitCode: 1, goodbye: 1, uptime: 200 };
    const { seen, supervisor } = setUp([CRASH, failed, failed, { ...failed, exitCode: 2, goodbye: 2 }]);
    assert.equal(await supervisor.run(), 2);
    assert.equal(seen.started.length, 4);
    assert.equal(seen.reports.length, 1, "what says why it ends has not crashed");
  });

  test("asked to stop, it asks the node, and passes the clean end on", async () => {
    const { seen, supervisor } = setUp(["runs"]);
    const code = supervisor.run();
    await new Promise(setImmediate);
    seen.stop();
    assert.equal(await code, 0);
    assert.equal(seen.asked, 1);
  });

  test("a model that was there at three crashes in a row is refused from then on", async () => {
    const stages = [{ path: "/models/bad.gguf", layerBegin: 0, layerEnd: 4 }];
    const { seen, supervisor } = setUp([...Array.from({ length: 3 }, () => ({ ...CRASH, stages })), FAREWELL]);
    assert.equal(await supervisor.run(), 0);
    assert.deepEqual(
      seen.started.map(({ refused }) => refused.length),
      [0, 0, 0, 1],
    );
    assert.equal(seen.started[3]?.refused[0]?.path, "/models/bad.gguf");
    assert.match(seen.said.at(-1) ?? "", /again and again with bad\.gguf: .* refuses this model/);
  });

  test("SIGKILL by somebody says nothing of the models; by the system for want of memory it does", async () => {
    const stages = [{ path: "/models/big.gguf", layerBegin: 0, layerEnd: 4 }];
    const killed = { ...CRASH, signal: "SIGKILL", stages } as const;
    const somebody = setUp([killed, killed, killed, FAREWELL]);
    await somebody.supervisor.run();
    assert.deepEqual(somebody.seen.started[3]?.refused, []);
    const system = setUp([killed, killed, killed, FAREWELL], [0, 1, 1, 2, 2, 3]);
    await system.supervisor.run();
    assert.equal(system.seen.started[3]?.refused.length, 1);
    assert.ok(system.seen.reports.every(({ kind, oomKills }) => kind === "memory" && oomKills === 1));
  });
});
