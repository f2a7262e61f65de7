import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import plist from "plist";
import { z } from "zod";
import { ALL_SETTINGS } from "../../src/cli/config-flags.js";
import { environmentName } from "../../src/config/load.js";
import { OPTIONS } from "../../src/config/options.js";
import { deploymentFile, environmentFile, settingsOf } from "../support/deployment-files.js";

const KNOWN = new Set(ALL_SETTINGS.map((key) => environmentName(OPTIONS[key].flag)));

/** The largest exposure that `systemd-analyze security` may find: 0 is none, 10 all. */
const MOST_EXPOSURE = 2.5;

describe("systemd unit", () => {
  const unit = deploymentFile("systemd/exo-native.service");
  const valuesOf = (key: string) =>
    [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
  const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;
  let directory = "";
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "exo-unit-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  test("starts a node, restarts it after failures, and keeps models where it may write", async () => {
    const [command = ""] = valuesOf("ExecStart");
    const [program, ...args] = command.split(" ");
    assert.equal(program, "/usr/local/bin/exo-native");
    const environment = Object.fromEntries(valuesOf("Environment").map((pair) => pair.split("=") as [string, string]));
    const settings = await settingsOf(args, environment);
    assert.equal(settings.logFormat, "json");
    const [cache = ""] = valuesOf("CacheDirectory");
    // systemd's name for /var/cache.
    assert.equal(environment.EXO_NATIVE_HOME, `%C/${cache}`);
    assert.deepEqual([valuesOf("Restart"), valuesOf("DynamicUser")], [["on-failure"], ["yes"]]);
    assert.deepEqual([valuesOf("LimitMEMLOCK"), valuesOf("LimitNOFILE")], [["infinity"], ["65536"]]);
    assert.deepEqual(valuesOf("MemoryDenyWriteExecute"), [], "JavaScript is compiled at run time");
  });

  test("the example of its environment has variables that exist, with values that can be used", async () => {
    const environment = environmentFile(deploymentFile("systemd/exo-native.env"));
    assert.ok(Object.keys(environment).length > 3);
    for (const name of Object.keys(environment)) assert.ok(KNOWN.has(name), name);
    const settings = await settingsOf(["serve"], environment);
    assert.equal(settings.open, true);
    assert.ok(settings.peer.length > 0);
    assert.deepEqual(valuesOf("EnvironmentFile"), ["-/etc/exo-native.env"]);
  });

  test("systemd itself finds no fault in it", { skip: !hasAnalyze }, () => {
    // It looks whether the program is there, which is Node's place to be here.
    const file = join(directory, "exo-native.service");
    writeFileSync(file, unit.replace("/usr/local/bin/exo-native", "/bin/true"));
    const verified = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
    const about = `${verified.stdout}${verified.stderr}`.split("\n").filter((line) => line.includes("exo-native"));
    assert.deepEqual([verified.status, about], [0, []]);
  });

  test("systemd finds little that it could still do harm with", { skip: !hasAnalyze }, (context) => {
    const file = join(directory, "exo-native.service");
    writeFileSync(file, unit);
    const judged = spawnSync("systemd-analyze", ["security", "--offline=yes", "--no-pager", file], {
      encoding: "utf8",
    });
    const level = /Overall exposure level for \S+: ([\d.]+)/.exec(judged.stdout)?.[1];
    if (level === undefined) return context.skip("this systemd-analyze cannot judge a file");
    context.diagnostic(`exposure ${level}`);
    assert.ok(Number(level) <= MOST_EXPOSURE, judged.stdout);
  });
});

const agent = z.strictObject({
  Label: z.literal("org.exo-native.node"),
  ProgramArguments: z.tuple([z.literal("/bin/sh"), z.literal("-c"), z.string()]),
  EnvironmentVariables: z.record(z.string(), z.string()),
  RunAtLoad: z.literal(true),
  KeepAlive: z.strictObject({ SuccessfulExit: z.literal(false) }),
  ThrottleInterval: z.number().min(10),
  ExitTimeOut: z.number(),
  ProcessType: z.literal("Interactive"),
  SoftResourceLimits: z.strictObject({ NumberOfFiles: z.number() }),
});

describe("launchd agent", () => {
  const settings = agent.parse(plist.parse(deploymentFile("launchd/org.exo-native.node.plist")));

  test("its variables exist, with values that can be used", async () => {
    const { PATH, ...variables } = settings.EnvironmentVariables;
    assert.ok(PATH?.split(":").includes("/opt/homebrew/bin"));
    for (const name of Object.keys(variables)) assert.ok(KNOWN.has(name), name);
    assert.equal((await settingsOf(["serve"], variables)).open, true);
  });

  test("its command line starts a node whose log goes to a file", { skip: process.platform === "win32" }, () => {
    const home = mkdtempSync(join(tmpdir(), "exo-agent-"));
    try {
      const bin = join(home, "bin");
      mkdirSync(bin);
      writeFileSync(join(bin, "exo-native"), '#!/bin/sh\necho "$@" >&2\n', { mode: 0o755 });
      const [program, ...args] = settings.ProgramArguments;
      const run = spawnSync(program, args, { env: { HOME: home, PATH: `${bin}:/usr/bin:/bin` }, encoding: "utf8" });
      assert.equal(run.status, 0, run.stderr);
      const log = join(home, "Library", "Logs", "exo-native", "node.log");
      assert.ok(existsSync(log));
      assert.equal(readFileSync(log, "utf8"), "serve\n");
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test("the page names the file and the label", () => {
    const page = deploymentFile("launchd/README.md");
    assert.ok(page.includes(`${settings.Label}.plist`));
    assert.ok(page.includes("Library/Logs/exo-native/node.log"));
  });
});
