import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { crashCheck } from "../../src/cli/doctor/crash-check.js";
import { causeOf } from "../../src/cli/supervise/crash-cause.js";
import { reportOf } from "../../src/cli/supervise/crash-facts.js";
import { type CrashReport, crashReport } from "../../src/cli/supervise/crash-report.js";
import { CrashStore, reportNames } from "../../src/cli/supervise/crash-store.js";
import { describeThrown } from "../../src/cli/supervise/describe-thrown.js";
import { KeptLines } from "../../src/cli/supervise/kept-lines.js";
import { KeptLog } from "../../src/cli/supervise/kept-log.js";
import type { NodeEnd } from "../../src/cli/supervise/node-child.js";
import { oomKills } from "../../src/cli/supervise/oom-kills.js";
import { look, lookForOne } from "../support/doctor-context.js";

const ASSERTION = "/src/ggml/ggml.c:4711: GGML_ASSERT(a->ne[0] == b->ne[0]) failed";

const END: NodeEnd = {
  exitCode: null,
  signal: "SIGABRT",
  goodbye: null,
  identity: { nodeId: "0123456789abcdef", http: 52415, grpc: 52416 },
  uptime: 61_234,
  stages: [{ path: "/models/m.gguf", layerBegin: 0, layerEnd: 11 }],
  memoryBytes: 5_000_000,
  thrown: null,
  stderr: [ASSERTION],
  log: [],
};

function reported(change: Partial<NodeEnd> = {}, now = Date.now(), kills: number | null = 0): CrashReport {
  const memory = { free: 1, total: 2, limit: null };
  return reportOf({ ...END, ...change }, { name: "studio", inARow: 1, oomKills: kills, memory, now });
}

describe("the last words of a node", () => {
  test("what ggml, C++ and V8 say of an end is kept, cut at chunks as it comes; other text is not", () => {
    const lines = new KeptLines();
    for (const text of [
      "CUDA error: out of memory\n  current device: 0, in function alloc at /src/ggml-cuda.cu:77\n  cudaMalloc(&p, n)\n",
      "My secret prompt\n",
      ASSERTION.slice(0, 9),
      `${ASSERTION.slice(9)}\nterminate called after throwing an instance of 'x'\n`,
      '  what():  parse error near "my secret"\n',
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    ]) {
      lines.add(text);
    }
    const kept = lines.end();
    assert.equal(kept.length, 7);
    assert.ok(kept.includes(ASSERTION));
    assert.doesNotMatch(kept.join("\n"), /secret/);
  });

  test("so many lines and no more, each of so many characters", () => {
    const lines = new KeptLines();
    for (let at = 0; at < 1000; at++) lines.add(`a.cpp:${at}: ${"x".repeat(2000)}\n`);
    const kept = lines.end();
    assert.ok(kept.length <= 60 && kept.every((line) => line.length <= 500));
    assert.match(kept.at(-1) ?? "", /^a\.cpp:999/);
  });

  test("log lines are kept, those of llama.cpp only when they are of its end", () => {
    const log = new KeptLog();
    log.add('{"level":"info","msg":"node started"}\n');
    log.add('{"level":"warn","source":"llama.cpp","msg":"cannot parse grammar: my secret"}\n');
    log.add('{"level":"warn","source":"llama.cpp","msg":"CUDA error: out of memory"}\n');
    assert.deepEqual(
      log.lines().map((line) => (JSON.parse(line) as { msg: string }).msg),
      ["node started", "CUDA error: out of memory"],
    );
    for (let at = 0; at < 100; at++) log.add(`{"msg":"${"y".repeat(3000)}"}`);
    assert.ok(log.lines().length <= 40 && log.lines().every((line) => line.length <= 1000));
  });

  test("an error's message is kept only where it is made of code", () => {
    const known = describeThrown(new TypeError("x is not a function"));
    assert.deepEqual([known.name, known.message], ["TypeError", "x is not a function"]);
    assert.match(known.frames[0] ?? "", /^at .*supervise-report/);
    const parsing = describeThrown(new SyntaxError('Unexpected token, "my secret" is not valid JSON'));
    assert.equal(parsing.message, null);
    assert.doesNotMatch(JSON.stringify(describeThrown(new Error("my secret\n in two lines"))), /secret/);
    assert.deepEqual(describeThrown("text"), { name: "string", message: null, frames: [] });
    const refused = Object.assign(new Error("listen EADDRINUSE"), { errno: -98, code: "EADDRINUSE" });
    assert.equal(describeThrown(refused).message, "listen EADDRINUSE");
  });
});

describe("why a node crashed", () => {
  const facts = { exitCode: null, signal: null, oomKills: 0, thrown: null, stderr: [] };

  test("is told by signal, counter, last words and error", () => {
    const kinds = [
      causeOf({ ...facts, signal: "SIGKILL", oomKills: 1 }),
      causeOf({ ...facts, signal: "SIGKILL" }),
      causeOf({ ...facts, signal: "SIGKILL", oomKills: null }),
      causeOf({ ...facts, signal: "SIGABRT", stderr: [ASSERTION] }),
      causeOf({ ...facts, signal: "SIGABRT", stderr: ["FATAL ERROR: JavaScript heap out of memory"] }),
      causeOf({ ...facts, signal: "SIGSEGV" }),
      causeOf({ ...facts, exitCode: 1, thrown: { name: "TypeError", message: "no", frames: ["at f (x.js:1:2)"] } }),
      causeOf({ ...facts, exitCode: 13 }),
    ];
    assert.deepEqual(
      kinds.map(({ kind }) => kind),
      ["memory", "killed", "killed", "assertion", "memory", "signal", "exception", "exit"],
    );
    assert.match(kinds[3]?.cause ?? "", /GGML_ASSERT\(a->ne\[0\] == b->ne\[0\]\) failed$/);
    assert.match(kinds[6]?.cause ?? "", /TypeError: no at f \(x\.js:1:2\)$/);
  });

  test("the counter of the control group comes first, then that of version 1, then the machine's", async () => {
    const files: Record<string, string> = { "/proc/vmstat": "nr_free 1\noom_kill 7\n" };
    const read = async (path: string): Promise<string | null> => files[path] ?? null;
    assert.equal(await oomKills(read), 7);
    files["/sys/fs/cgroup/memory/memory.oom_control"] = "under_oom 0\noom_kill 5\n";
    assert.equal(await oomKills(read), 5);
    files["/proc/self/cgroup"] = "0::/system.slice/x.service\n";
    files["/sys/fs/cgroup/system.slice/x.service/memory.events"] = "oom 4\noom_kill 3\n";
    assert.equal(await oomKills(read), 3);
    assert.equal(await oomKills(async () => null), null);
  });
});

describe("crash reports", () => {
  test("are read as they were written, for the owner alone, and the oldest go", async () => {
    const directory = await mkdtemp(join(tmpdir(), "exo-crashes-"));
    try {
      const store = new CrashStore(join(directory, "crashes"));
      const first = await store.keep(reported({}, 1_700_000_000_000));
      assert.ok(first !== null);
      assert.equal((await stat(first)).mode & 0o777, 0o600);
      const read = crashReport.parse(JSON.parse(await readFile(first, "utf8")));
      assert.deepEqual(
        [read.kind, read.uptimeSeconds, read.stages, read.started],
        ["assertion", 61.234, END.stages, true],
      );
      for (let at = 1; at <= 25; at++) await store.keep(reported({}, 1_700_000_000_000 + at * 1000));
      const names = await readdir(join(directory, "crashes"));
      assert.equal(names.length, 20);
      assert.ok(reportNames(names)[0]?.startsWith("crash-2023-11-14T22-13-45-000Z-"));
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("a directory that cannot be written is no failure", async () => {
    const directory = await mkdtemp(join(tmpdir(), "exo-crashes-"));
    try {
      await writeFile(join(directory, "crashes"), "a file");
      assert.equal(await new CrashStore(join(directory, "crashes")).keep(reported()), null);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe("doctor: crashes", () => {
  const file = (at: number): string => `/home/user/.cache/exo-native/crashes/crash-${at}-01-02T03-04-05-678Z-abcd.json`;

  test("none is in order, and so are files that are no reports", async () => {
    assert.equal((await lookForOne(crashCheck, {})).severity, "ok");
    const files = { [file(2026)]: "{", "/home/user/.cache/exo-native/crashes/note.txt": "x" };
    assert.equal((await lookForOne(crashCheck, { files })).severity, "ok");
    const old = { [file(2020)]: JSON.stringify(reported({}, Date.now() - 30 * 24 * 3600_000)) };
    assert.equal((await lookForOne(crashCheck, { files: old })).severity, "ok");
  });

  test("the newest three are told with what was held and what to do", async () => {
    const killed = reported({ signal: "SIGKILL" }, Date.now(), 1);
    const files = Object.fromEntries(
      [1, 2, 3, 4].map((at) => [file(2020 + at), JSON.stringify(at === 4 ? killed : reported())]),
    );
    const findings = await look(crashCheck, { files });
    assert.deepEqual(
      findings.map(({ id, severity }) => [id, severity]),
      Array.from({ length: 3 }, () => ["crashes", "warning"]),
    );
    assert.match(findings[0]?.title ?? "", /^The node studio crashed at .*memory ran out/);
    assert.match(findings[0]?.mend ?? "", /--memory/);
    assert.match(findings[1]?.detail ?? "", /had run for 61 s\. It held \/models\/m\.gguf \[0, 11\)\./);
    assert.match(findings[1]?.title ?? "", /GGML_ASSERT/);
  });
});
