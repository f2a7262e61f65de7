import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Doctor, DoctorReport } from "../../src/api/ports.js";
import { ok, problem } from "../../src/cli/doctor/finding.js";
import { nodeDoctor } from "../../src/cli/doctor/node-doctor.js";
import { loadConfig } from "../../src/config/load.js";
import { ExoError } from "../../src/core/errors.js";
import { errorOf, SNAPSHOT, withApi } from "./api-under-test.js";

const PATH = "/cluster/doctor";

const REPORT: DoctorReport = {
  version: "0.1.0",
  platform: "linux",
  arch: "x64",
  node: "22.11.0",
  summary: { problem: 0, warning: 0, note: 0, ok: 1 },
  findings: [{ id: "build.node", severity: "ok", title: "Node 22", detail: "", mend: null }],
};

describe("GET /cluster/doctor", () => {
  test("answers with what was found, by the node's own address and view", async () => {
    const asked: Parameters<Doctor["examine"]>[0][] = [];
    const doctor: Doctor = {
      examine: async (node) => {
        asked.push(node);
        return REPORT;
      },
    };
    await withApi(
      async ({ url }) => {
        const answer = await fetch(url + PATH);
        assert.deepEqual([answer.status, await answer.json()], [200, REPORT]);
        assert.deepEqual([asked[0]?.url.origin, asked[0]?.cluster], [url, SNAPSHOT]);
      },
      { doctor },
    );
  });

  test("a look that fails is told, and the next one is made all the same", async () => {
    let looks = 0;
    const doctor: Doctor = {
      examine: async () => {
        looks += 1;
        if (looks === 1) throw new ExoError("internal", "The look failed.");
        return REPORT;
      },
    };
    await withApi(
      async ({ url }) => {
        assert.equal((await fetch(url + PATH)).status, 500);
        assert.equal((await fetch(url + PATH)).status, 200);
      },
      { doctor },
    );
  });

  test("a node without a doctor says what to do instead, and the key is asked for as elsewhere", async () => {
    await withApi(async ({ url }) => {
      const error = await errorOf(await fetch(url + PATH));
      assert.deepEqual([error.code, /npx exo-native doctor/.test(error.message)], ["unsupported", true]);
    });
    await withApi(
      async ({ url }) => {
        assert.equal((await fetch(url + PATH)).status, 401);
      },
      { apiKeys: ["sesame-open"] },
    );
  });
});

describe("the doctor of a node", () => {
  test("runs the checks with the node's settings and what it knows, and tells them as the command does", async () => {
    const config = await loadConfig({ flags: {}, env: {}, homeDirectory: "/home/user", withoutFile: true });
    const doctor = nodeDoctor(config, {}, [
      { subject: "the node", run: async ({ node }) => [ok("node", `${node?.cluster.node.name} at ${node?.url.host}`)] },
      {
        subject: "the settings",
        run: async (context) => [problem("ports.http", String(context.config.http.port), "detail", "mend")],
      },
      { subject: "nothing", run: () => Promise.reject(new Error("It broke.")) },
    ]);
    const report = await doctor.examine({ url: new URL("http://127.0.0.1:7000"), cluster: SNAPSHOT });
    assert.deepEqual(
      report.findings.map(({ id, severity, title }) => [id, severity, title]),
      [
        ["node", "ok", "desk at 127.0.0.1:7000"],
        ["ports.http", "problem", "52415"],
        ["check", "warning", "Could not look at nothing"],
      ],
    );
    assert.deepEqual(report.summary, { problem: 1, warning: 1, note: 0, ok: 1 });
  });
});
