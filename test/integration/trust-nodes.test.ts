import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { runCli } from "../../src/cli/run-cli.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";
import { capturedIo } from "../unit/cli-captured-io.js";

const clusterSchema = z.object({
  node: z.object({ id: z.string() }),
  nodes: z.array(z.object({ name: z.string(), id: z.string(), state: z.string(), reason: z.string().nullable() })),
  rings: z.array(z.object({ state: z.string(), stages: z.array(z.object({ node_name: z.string() })) })),
});
const membersSchema = z.object({
  members: z.array(z.object({ name: z.string(), role: z.string().nullable(), state: z.string(), id: z.string() })),
});
const tokenSchema = z.object({ token: z.string() });

interface Machine {
  readonly home: string;
  /** Runs a command of `cluster` there. */
  cluster(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  serve(name: string, ...args: string[]): Promise<NodeProcess>;
}

async function machine(context: TestContext): Promise<Machine> {
  const home = await mkdtemp(join(tmpdir(), "exo-native-machine-"));
  context.after(() => rm(home, { recursive: true, force: true }));
  const grpc = `127.0.0.1:${await freePort()}`;
  return {
    home,
    async cluster(...args) {
      // Another node of the machine that runs the tests is none of these.
      const io = capturedIo({ env: { EXO_NATIVE_HOME: home, EXO_NATIVE_HTTP: "127.0.0.1:9" } });
      const code = await runCli(["cluster", ...args], io);
      return { code, stdout: io.stdout.text, stderr: io.stderr.text };
    },
    async serve(name, ...args) {
      const node = await NodeProcess.start({ name, home, args: ["--grpc", grpc, ...args] });
      context.after(() => node.stop());
      return node;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function tokenFor(inviter: Machine, node: NodeProcess, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await inviter.cluster(
    "invite",
    "--json",
    "--url",
    node.http,
    "--address",
    node.grpc,
    ...args,
  );
  assert.notEqual(stdout, "", stderr);
  return tokenSchema.parse(JSON.parse(stdout)).token;
}

async function seenBy(node: NodeProcess): Promise<z.infer<typeof clusterSchema>["nodes"]> {
  return clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json()).nodes;
}

/** Each with the names of the nodes that hold its stages. */
async function ringsOf(node: NodeProcess): Promise<readonly string[]> {
  const { rings } = clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
  return rings.map(
    ({ state, stages }) =>
      `${state}: ${stages
        .map(({ node_name }) => node_name)
        .sort()
        .join(" ")}`,
  );
}

async function states(node: NodeProcess): Promise<readonly string[]> {
  return (await seenBy(node)).map(({ name, state }) => `${name} ${state}`).sort();
}

describe("nodes of a cluster with a secret", () => {
  test("join with a token, find each other again, and put one out", async (t) => {
    const [desk, attic] = await Promise.all([machine(t), machine(t)]);
    assert.equal((await desk.cluster("init", "--name", "lab")).code, 0);
    const first = await desk.serve("desk");
    const token = await tokenFor(desk, first);
    const second = await attic.serve("attic", "--join", token);
    await eventually(async () => {
      for (const node of [first, second]) assert.deepEqual(await states(node), ["attic alive", "desk alive"]);
    });
    // The same token again, as a service would be started: it is in already.
    await second.stop();
    const again = await attic.serve("attic", "--join", token);
    await eventually(async () => assert.deepEqual(await states(first), ["attic alive", "desk alive"]));
    await eventually(async () => {
      const listed = await desk.cluster("members", "--json", "--url", first.http);
      const { members } = membersSchema.parse(JSON.parse(listed.stdout));
      assert.deepEqual(members.map(({ name, role, state }) => `${name} ${role} ${state}`).sort(), [
        "attic member alive",
        "desk admin alive",
      ]);
    });
    const revoked = await desk.cluster("revoke", "attic");
    assert.equal(revoked.code, 0, revoked.stderr);
    await eventually(async () => {
      const others = (await seenBy(first)).filter(({ name }) => name !== "desk");
      assert.ok(others.length > 0 && others.every(({ state }) => state !== "alive"));
      const [seen] = (await seenBy(again)).filter(({ name }) => name === "desk");
      assert.match(seen?.reason ?? "", /was revoked by an admin/);
    });
  });

  test("make a ring over certified connections, which is placed anew when one is revoked", async (t) => {
    const [desk, attic] = await Promise.all([machine(t), machine(t)]);
    await desk.cluster("init");
    const model = tinyModel();
    const head = await desk.serve("desk", model, "--threads", "1", "--min-nodes", "2", "--ctx", "64");
    const worker = await attic.serve("attic", "--threads", "1", "--join", await tokenFor(desk, head));
    await head.ready();
    assert.deepEqual(await ringsOf(head), ["ready: attic desk"]);
    const ask = async (): Promise<number> => {
      const body = JSON.stringify({ prompt: "one two", max_tokens: 4, temperature: 0 });
      const headers = { "Content-Type": "application/json" };
      return (await fetch(`${head.http}/v1/completions`, { method: "POST", headers, body })).status;
    };
    assert.equal(await ask(), 200);
    await desk.cluster("revoke", "attic");
    await eventually(async () => {
      assert.equal(
        (await ringsOf(head)).some((ring) => ring.includes("attic") && ring.startsWith("ready")),
        false,
      );
      assert.match((await seenBy(worker)).find(({ name }) => name === "desk")?.reason ?? "", /was revoked/);
    });
  });

  test("are apart from a node without the cluster's secret, which is listed with the reason", async (t) => {
    const [desk, other] = await Promise.all([machine(t), machine(t)]);
    await desk.cluster("init");
    const inside = await desk.serve("desk");
    const outside = await other.serve("other", "--open", "--no-discovery", "--peer", inside.grpc);
    await eventually(async () => {
      const [, seen] = await seenBy(outside);
      assert.equal(seen?.state, "refused");
      assert.match(seen?.reason ?? "", /cluster with a secret/);
    });
    assert.deepEqual(await states(inside), ["desk alive"]);
  });
});

describe("exo-native cluster", () => {
  test("says what is wrong, and with which exit code", async (t) => {
    const one = await machine(t);
    const outcome = async (...args: string[]): Promise<readonly [number, string]> => {
      const { code, stderr } = await one.cluster(...args);
      return [code, stderr];
    };
    const [code, message] = await outcome("invite");
    assert.equal(code, 1);
    assert.match(message, /in no cluster with a secret/);
    assert.match((await outcome("join", "exo-join-nonsense"))[1], /Expected a whole token/);
    assert.equal((await outcome("join", "exo-join-nonsense"))[0], 2);
    assert.match((await outcome("join", "exo-native://desk"))[1], /invite to an open cluster/);
    assert.equal((await outcome("init", "--name", "a b"))[0], 2);
    assert.equal((await outcome("init"))[0], 0);
    assert.match((await outcome("init"))[1], /in a cluster already/);
    assert.equal((await outcome("invite", "--expires", "never"))[0], 2);
    assert.match((await outcome("revoke", "nobody"))[1], /never met a node "nobody"/);
    const { stdout } = await one.cluster("invite");
    assert.match(stdout, /serve --join exo-join-[\w-]+\n/);
    assert.match((await one.cluster("members")).stdout, /home[\s\S]*admin[\s\S]*one admin/);
    assert.equal((await outcome("leave"))[0], 0);
    assert.match((await outcome("members"))[1], /in no cluster/);
  });
});
