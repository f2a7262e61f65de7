import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Check, runChecks } from "../../src/cli/doctor/check.js";
import { CHECKS } from "../../src/cli/doctor/checks.js";
import { configCheck, OTHER_VARIABLES } from "../../src/cli/doctor/config-check.js";
import { FINDING_IDS, type Finding, note, ok, problem, SEVERITIES, warning } from "../../src/cli/doctor/finding.js";
import { membersCheck } from "../../src/cli/doctor/members-check.js";
import { findingsDocument, findingsText } from "../../src/cli/doctor/report.js";
import { visibleLength } from "../../src/cli/terminal/columns.js";
import { plainPaint } from "../../src/cli/terminal/paint.js";
import { environmentName } from "../../src/config/load.js";
import { OPTIONS } from "../../src/config/options.js";
import { ExoError } from "../../src/core/errors.js";
import { packageRoot, packageVersion } from "../../src/core/package.js";
import { contextOf, look, lookForOne } from "../support/doctor-context.js";
import { twoNodeCluster } from "./cli-sample-cluster.js";

const SUBJECT = { version: "1.2.3", platform: "linux", arch: "x64", node: "22.11.0" };

describe("doctor: checks", () => {
  const good: Check = { subject: "this", run: async () => [ok("disk.space", "fine")] };
  const never = new Promise<void>(() => {});

  test("one that fails, throws or hangs is a finding, and the others go on", async () => {
    const rejects: Check = { subject: "that", run: () => Promise.reject(new Error("the disk is gone")) };
    const hangs: Check = { subject: "the moon", run: () => new Promise(() => {}) };
    const throws: Check = {
      subject: "nothing",
      run: () => {
        throw new Error("at once");
      },
    };
    const context = await contextOf({});
    const findings = await runChecks([rejects, good, throws], context, () => never);
    assert.deepEqual(
      findings.map(({ id, detail }) => [id, detail]),
      [
        ["check", "the disk is gone"],
        ["disk.space", ""],
        ["check", "at once"],
      ],
    );
    const [late] = await runChecks([hangs], context, async () => {});
    assert.deepEqual([late?.title, late?.detail], ["Could not look at the moon", "It took too long."]);
  });

  test("every check says something sensible of a machine where nothing can be read", async () => {
    const blind = {
      platform: "aix" as const,
      freeBytes: null,
      native: { works: false, reason: "There are no libraries for it." } as const,
      missingTools: ["Building exo-native needs git (not found): install it with your system's package manager"],
    };
    const findings = await runChecks(CHECKS, await contextOf(blind), () => never);
    assert.deepEqual(
      findings.filter(({ id }) => id === "check"),
      [],
    );
    for (const { title, severity, mend } of findings) {
      assert.notEqual(title, "");
      assert.equal(mend !== null || severity === "ok" || severity === "note", true, title);
    }
  });
});

describe("doctor: settings and members", () => {
  test("a file that cannot be used is a problem with the reason", async () => {
    const configFailure = new ExoError("invalid_argument", 'Expected a JSON object in "config.json".');
    const [finding] = await look(configCheck, {}, { configFailure });
    assert.equal(finding?.severity, "problem");
    assert.match(finding?.detail ?? "", /Expected a JSON object/);
  });

  test("a misspelt variable is a warning; those that exist are not", async () => {
    const names = [...Object.values(OPTIONS).map(({ flag }) => environmentName(flag)), ...OTHER_VARIABLES];
    const known = Object.fromEntries(names.map((name) => [name, "x"]));
    assert.equal((await look(configCheck, { env: { ...known, PATH: "/bin" } })).length, 1);
    const [, wrong] = await look(configCheck, { env: { ...known, EXO_NATIVE_MINNODES: "2" } });
    assert.match(wrong?.title ?? "", /^The environment has EXO_NATIVE_MINNODES, which nothing reads$/);
  });

  test("every variable that the code reads is known", () => {
    const known = new Set([...Object.values(OPTIONS).map(({ flag }) => environmentName(flag)), ...OTHER_VARIABLES]);
    const root = packageRoot();
    const files = ["src", "native", "vendor"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts") && !name.startsWith("llama.cpp"))
        .map((name) => join(root, folder, name)),
    );
    const read = files.flatMap((file) => {
      return [...readFileSync(file, "utf8").matchAll(/env\.(EXO_NATIVE_\w+)/g)].map(([, name = ""]) => name);
    });
    assert.ok(read.length > 3);
    assert.deepEqual(
      [...new Set(read)].filter((name) => !known.has(name)),
      [],
    );
  });

  test("no node, a stranger, and one that wants a key", async () => {
    assert.equal((await lookForOne(membersCheck, {})).severity, "note");
    const stranger = new ExoError("peer_incompatible", "What answers is not what this version expects.");
    assert.equal((await lookForOne(membersCheck, {}, { nodeFailure: stranger })).severity, "warning");
    const locked = new ExoError("unauthorized", "Give a key.");
    assert.match((await lookForOne(membersCheck, {}, { nodeFailure: locked })).mend ?? "", /--api-key/);
  });

  test("members of one version, and one that was refused", async () => {
    const cluster = twoNodeCluster();
    const nodes = cluster.nodes.map((node) => (node.version === "" ? node : { ...node, version: packageVersion() }));
    const findings = await look(membersCheck, {}, { cluster: { ...cluster, nodes } });
    assert.deepEqual(
      findings.map(({ id, severity }) => [id, severity]),
      [
        ["node", "ok"],
        ["members.version", "ok"],
        ["members.state", "warning"],
      ],
    );
    assert.match(findings[2]?.detail ?? "", /run the same exo-native release on both/);
  });

  test("other versions, lost members and failed rings", async () => {
    const cluster = twoNodeCluster({ state: "failed", reason: "Its file is damaged." });
    const nodes = cluster.nodes.map((node) => (node.id === "b" ? { ...node, version: "0.0.1", state: "gone" } : node));
    const findings = await look(membersCheck, {}, { cluster: { ...cluster, nodes } });
    assert.match(findings.find(({ id }) => id === "members.version")?.detail ?? "", /node-b 0\.0\.1/);
    assert.match(findings.find(({ id }) => id === "members.state")?.title ?? "", /node-b .* does not answer/);
    const broken = findings.find(({ severity }) => severity === "problem");
    assert.deepEqual([broken?.title, broken?.detail], ["tinyllama does not run", "Its file is damaged."]);
  });
});

describe("doctor: report", () => {
  const findings = [
    ok("disk.space", "Disk: 100.0 GiB free for models", "/home/user/.cache/exo-native/models."),
    warning("clock", "The clock is 90 s ahead", "By others.", "sudo timedatectl set-ntp true"),
    note("node", "No node runs here", "", "npx exo-native serve"),
    problem("ports.http", "Port 52415 is taken by nginx (process 812)", "A node would end.", "Stop that program."),
  ];

  test("the worst first, each with its mend, and a summary", () => {
    assert.equal(
      findingsText(SUBJECT, findings, 60, plainPaint),
      `exo-native 1.2.3 on linux x64, Node 22.11.0

✗ Port 52415 is taken by nginx (process 812)
  A node would end. (ports.http)
  → Stop that program.
! The clock is 90 s ahead
  By others. (clock)
  → sudo timedatectl set-ntp true
● No node runs here
  (node)
  → npx exo-native serve
✓ Disk: 100.0 GiB free for models

1 problem, 1 warning, 1 note, 1 in order
`,
    );
  });

  test("the document has everything", () => {
    assert.deepEqual(findingsDocument(SUBJECT, findings), {
      ...SUBJECT,
      summary: { problem: 1, warning: 1, note: 1, ok: 1 },
      findings,
    });
  });

  test("lines fit their terminal as far as words do", () => {
    const words = fc.array(fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom(..."abc.-/") }), {
      minLength: 1,
      maxLength: 40,
    });
    const finding = fc.record({
      id: fc.constantFrom(...FINDING_IDS),
      severity: fc.constantFrom(...SEVERITIES),
      title: words.map((list) => list.join(" ")),
      detail: words.map((list) => list.join(" ")),
      mend: fc.option(words.map((list) => list.join(" "))),
    });
    fc.assert(
      fc.property(fc.array(finding, { maxLength: 5 }), fc.integer({ min: 50, max: 200 }), (list: Finding[], width) => {
        for (const line of findingsText(SUBJECT, list, width, plainPaint).split("\n")) {
          assert.ok(visibleLength(line) < width, line);
        }
      }),
    );
  });

  test("docs/troubleshooting.md lists the findings that there are", () => {
    const page = readFileSync(join(packageRoot(), "docs", "troubleshooting.md"), "utf8");
    const [, section = ""] = page.split("## Findings");
    const listed = [...section.matchAll(/^\| `([a-z.]+)` /gm)].map(([, id]) => id ?? "");
    assert.deepEqual(listed.toSorted(), [...FINDING_IDS].toSorted());
  });
});
