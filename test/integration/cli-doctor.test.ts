import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { FINDING_IDS, SEVERITIES } from "../../src/cli/doctor/finding.js";
import { packageRoot } from "../../src/core/package.js";
import { NodeProcess } from "../support/node-process.js";

const MAIN = join(packageRoot(), "dist", "src", "cli", "main.js");

const report = z.object({
  version: z.string(),
  platform: z.string(),
  arch: z.string(),
  node: z.string(),
  summary: z.record(z.enum(SEVERITIES), z.number()),
  findings: z.array(
    z.strictObject({
      id: z.enum(FINDING_IDS),
      severity: z.enum(SEVERITIES),
      title: z.string().min(1),
      detail: z.string(),
      mend: z.string().min(1).nullable(),
    }),
  ),
});

/** Stands for the registry and the hub, so that no other network is needed; its clock may be wrong. */
async function startServer(skewMilliseconds: number): Promise<Server> {
  const server = createServer((_, response) => {
    response.setHeader("Date", new Date(Date.now() + skewMilliseconds).toUTCString());
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

describe("doctor", { timeout: 240_000 }, () => {
  let home = "";
  let server: Server;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "exo-doctor-"));
    server = await startServer(0);
  });
  after(async () => {
    server.close();
    await rm(home, { recursive: true });
  });

  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const url = `http://127.0.0.1:${portOf(server)}/`;
    const child = spawn(process.execPath, [MAIN, "doctor", ...args], {
      env: {
        PATH: process.env.PATH,
        EXO_NATIVE_HOME: home,
        // Where no node runs, whatever runs on this machine.
        EXO_NATIVE_URL: "http://127.0.0.1:9",
        HF_ENDPOINT: url,
        npm_config_registry: url,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: code as unknown, out, err };
  }

  async function findingsOf(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { code, out, err } = await run(["--json", "--http", ":0", "--grpc", ":0", ...args], env);
    const { findings } = report.parse(JSON.parse(out));
    const find = (id: string, severity?: string) =>
      findings.find((finding) => finding.id === id && (severity === undefined || finding.severity === severity));
    return { code, err, find, findings };
  }

  test("this machine as it is: one document, and no problem", async () => {
    const { code, err, find, findings } = await findingsOf([]);
    const problems = findings.filter(({ severity }) => severity === "problem" || severity === "warning");
    assert.equal(code, 0, JSON.stringify(problems));
    assert.equal(err, "");
    assert.equal(find("check"), undefined, JSON.stringify(find("check")));
    for (const id of [
      "config.file",
      "build.node",
      "native.addon",
      "native.cpu",
      "native.gpu",
      "memory",
      "disk.space",
    ]) {
      assert.ok(find(id) !== undefined, id);
    }
    assert.equal(find("native.addon")?.severity, "ok");
    assert.equal(find("reach.npm")?.severity, "ok");
    assert.equal(find("reach.hub")?.severity, "ok");
    assert.equal(find("clock")?.severity, "ok");
    assert.equal(find("node")?.severity, "note");
  });

  test("as text, with a summary", async () => {
    const { code, out } = await run(["--http", ":0", "--grpc", ":0"]);
    assert.equal(code, 0);
    assert.match(out, /^exo-native \d+\.\d+\.\d+ on \w+ \w+, Node /);
    assert.match(out, /^✓ The native addon works: llama\.cpp /m);
    assert.match(out, /^no problem, .*\d+ in order$/m);
  });

  test("a taken port is a problem, its holder is named, and the exit code is 1", async (context) => {
    const holder = createTcpServer();
    holder.listen(0, "127.0.0.1");
    await once(holder, "listening");
    const port = portOf(holder);
    try {
      const { code, err, find } = await findingsOf(["--grpc", `127.0.0.1:${port}`]);
      assert.equal(code, 1);
      assert.match(err, /^error: 1 problem found; each comes with its mend\.\n$/);
      assert.equal(find("ports.grpc")?.severity, "problem");
      if (process.platform !== "linux") return context.diagnostic("the holder's name is looked for on Linux only");
      assert.match(find("ports.grpc")?.title ?? "", new RegExp(`\\(process ${process.pid}\\)$`));
    } finally {
      holder.close();
    }
  });

  test("settings that cannot be used are a problem; a wrong option is bad usage", async () => {
    const config = join(home, "broken.json");
    await writeFile(config, '{"slots": "many"}');
    const { code, find } = await findingsOf(["--config", config]);
    assert.equal(code, 1);
    assert.match(find("config.file", "problem")?.detail ?? "", /"slots" in .*broken\.json/);
    const usage = await run(["--memory", "much"]);
    assert.equal(usage.code, 2);
    assert.match(usage.err, /for --memory, received "much"/);
  });

  test("a key that others can read, and a variable that nobody reads", async () => {
    const config = join(home, "open.json");
    await writeFile(config, '{"api-key": ["a-secret-key"]}');
    await chmod(config, 0o644);
    const { find } = await findingsOf(["--config", config], { EXO_NATIVE_SLOT: "3" });
    assert.equal(find("config.secrets")?.mend, `chmod 600 ${config}`);
    assert.match(find("config.environment")?.title ?? "", /EXO_NATIVE_SLOT/);
    await chmod(config, 0o600);
    assert.equal((await findingsOf(["--config", config])).find("config.secrets"), undefined);
  });

  test("models that are half fetched or damaged", async () => {
    const models = join(home, "models");
    const manifest = { spec: "https://example.org/a.gguf", id: "a", completedAt: null, files: [] };
    await mkdir(join(models, "a-1"), { recursive: true });
    await writeFile(join(models, "a-1", "manifest.json"), JSON.stringify(manifest));
    await writeFile(join(models, "a-1", "a.gguf.part"), "1234");
    await mkdir(join(models, "b-2"), { recursive: true });
    await writeFile(join(models, "b-2", "manifest.json"), "{ torn");
    const whole = { name: "c.gguf", bytes: 9, sha256: "0".repeat(64) };
    await mkdir(join(models, "c-3"), { recursive: true });
    await writeFile(
      join(models, "c-3", "manifest.json"),
      JSON.stringify({ ...manifest, id: "c", completedAt: "2026-01-01T00:00:00Z", files: [whole] }),
    );
    await mkdir(join(models, "d-4"), { recursive: true });
    await writeFile(join(models, "d-4", "manifest.json"), JSON.stringify({ ...manifest, id: "d" }));
    await writeFile(join(models, "d-4", "d.gguf"), "1234");
    await writeFile(join(models, "d-4", "d.gguf.ranges.json"), "{ torn");
    const { find, findings } = await findingsOf([]);
    assert.match(find("cache.incomplete", "note")?.title ?? "", /^a is fetched in part \(4 B\)$/);
    assert.match(find("cache.incomplete", "warning")?.title ?? "", /^c was complete and lacks something now/);
    assert.match(find("cache.damaged")?.mend ?? "", /^rm -r '.*b-2'$/);
    const damaged = findings.filter(({ id }) => id === "cache.damaged");
    assert.equal(damaged.length, 2);
    assert.match(damaged[1]?.title ?? "", /^What is kept of d\.gguf cannot be used$/);
    await rm(models, { recursive: true });
  });

  test("servers that are away, and a clock that is wrong by theirs", async () => {
    const late = await startServer(-3_600_000);
    const url = `http://127.0.0.1:${portOf(late)}/`;
    const away = await startServer(0);
    const nowhere = `http://127.0.0.1:${portOf(away)}/`;
    away.close();
    await once(away, "close");
    const { code, find } = await findingsOf([], { HF_ENDPOINT: url, npm_config_registry: nowhere });
    late.close();
    assert.equal(code, 0);
    assert.match(find("clock")?.title ?? "", /^The clock is 3\d{3} s ahead of that of 127\.0\.0\.1:\d+$/);
    assert.match(find("reach.npm")?.detail ?? "", /the connection was refused/);
  });

  test("an addon that does not open is a problem, and the rest is looked at all the same", async () => {
    const { code, find } = await findingsOf([], { EXO_NATIVE_ADDON_DIRECTORY: home });
    assert.equal(code, 1);
    assert.match(find("native.addon", "problem")?.detail ?? "", /could not be opened/);
    assert.ok(find("build.tools") !== undefined);
    assert.ok(find("disk.space") !== undefined);
  });

  test("through a running node it looks at the others", async () => {
    const worker = await NodeProcess.start({ name: "worker" });
    const head = await NodeProcess.start({ name: "head", args: ["--peer", worker.grpc, "--peer", "127.0.0.1:9"] });
    try {
      const { find } = await findingsOf(["--url", head.http, "--peer", worker.grpc, "--peer", "127.0.0.1:9"]);
      assert.match(find("node", "ok")?.title ?? "", /^head runs at http:\/\/127\.0\.0\.1:\d+, /);
      assert.equal(find("members.version")?.severity, "ok");
      assert.match(find("members.state")?.title ?? "", /^127\.0\.0\.1:9 /);
      assert.equal(find("peers", "ok")?.title, `${worker.grpc} can be reached`);
      assert.match(find("peers", "warning")?.detail ?? "", /nobody listens there/);
    } finally {
      await Promise.all([head.stop(), worker.stop()]);
    }
  });
});
