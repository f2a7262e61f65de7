import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT } from "../../src/config/options.js";
import { packageRoot } from "../../src/core/package.js";
import { deploymentFile, packageManifest, settingsOf, yamlDocuments } from "../support/deployment-files.js";

const { name, version, bin, scripts } = packageManifest();
const TARBALL = `${name}-${version}.tgz`;
const IMAGE = `${name}:${version}`;

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** Instructions of a Dockerfile by stage; a stage begins with `FROM`. */
function stagesOf(text: string): readonly (readonly Instruction[])[] {
  const joined = text.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n\s*/g, " ");
  const lines = joined.split("\n").filter((line) => line.trim() !== "");
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, word = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? assert.fail(`not an instruction: ${line}`);
    if (word === "FROM") stages.push([]);
    stages.at(-1)?.push({ word, rest });
  }
  return stages;
}

function all(stage: readonly Instruction[], word: string): readonly string[] {
  return stage.filter((instruction) => instruction.word === word).map(({ rest }) => rest);
}

function one(stage: readonly Instruction[], word: string): string {
  const [rest, ...more] = all(stage, word);
  assert.ok(rest !== undefined && more.length === 0, `${more.length + 1} times ${word}`);
  return rest;
}

describe("Dockerfile", () => {
  const [build = [], image = []] = stagesOf(deploymentFile("docker/Dockerfile"));
  const ignored = deploymentFile("docker/Dockerfile.dockerignore").trim().split("\n");

  test("has a stage that builds and one that runs, of the same Node", () => {
    const [first, second] = [build, image].map((stage) => one(stage, "FROM").split(/[: ]/));
    assert.deepEqual([first?.[0], second?.[0], second?.[1]], ["node", "node", `${first?.[1]}-slim`]);
    assert.match(one(build, "FROM"), / AS build$/);
  });

  test("copies what is there, and what the build's context lets through", () => {
    const sources = all(build, "COPY").flatMap((rest) => rest.split(" ").slice(0, -1));
    assert.deepEqual(sources, ["exo-native-*.tgz", "package-lock.json"]);
    assert.match(TARBALL, /^exo-native-.*\.tgz$/);
    assert.ok(existsSync(join(packageRoot(), sources[1] ?? "")));
    assert.deepEqual(ignored, ["*", ...sources.map((source) => `!${source}`)]);
    assert.deepEqual(all(image, "COPY"), ["--from=build /opt/exo-native /opt/exo-native"]);
  });

  test("runs what the package has", () => {
    const commands = all(build, "RUN").join("\n");
    assert.equal(scripts["build:native"], "node dist/native/build.js");
    assert.match(commands, /^node dist\/native\/build\.js$/m);
    assert.ok(all(image, "RUN").join("\n").includes(`/opt/exo-native/${bin["exo-native"]} /usr/local/bin/exo-native`));
    const packed = filesOfPackage();
    for (const file of ["dist/native/build.js", "dist/vendor/prepare.js", "CMakeLists.txt", bin["exo-native"] ?? ""]) {
      assert.ok(packed.includes(file), `${file} is not in the package`);
    }
    assert.ok(packed.includes("dist/src/cli/doctor/native-probe.js"));
  });

  test("starts a node that can be reached, as a user without rights", async () => {
    const [command] = [one(image, "ENTRYPOINT")].map((text) => z.array(z.string()).parse(JSON.parse(text)));
    assert.deepEqual(command, ["exo-native"]);
    const args = z.array(z.string()).parse(JSON.parse(one(image, "CMD")));
    const env = Object.fromEntries(all(image, "ENV").map((rest) => rest.split("=") as [string, string]));
    const settings = await settingsOf(args, env);
    assert.deepEqual(settings.http, { host: "0.0.0.0", port: DEFAULT_HTTP_PORT });
    assert.equal(settings.open, true);
    assert.equal(one(image, "VOLUME"), settings.paths.cacheDir);
    assert.equal(one(image, "EXPOSE"), `${DEFAULT_HTTP_PORT} ${DEFAULT_GRPC_PORT}`);
    assert.equal(one(image, "USER"), "node");
    const lines = image.map(({ word }) => word);
    assert.ok(lines.indexOf("USER") > lines.lastIndexOf("RUN"), "what needs rights comes before");
  });

  test("its health check is a program that runs, and asks the right route", () => {
    const check = one(image, "HEALTHCHECK");
    const command = z.array(z.string()).parse(JSON.parse(check.slice(check.indexOf("["))));
    const [program, flag, script = ""] = command;
    assert.deepEqual([program, flag], ["node", "-e"]);
    assert.ok(script.includes(`http://127.0.0.1:${DEFAULT_HTTP_PORT}/healthz`));
    const nobody = script.replace(String(DEFAULT_HTTP_PORT), "9");
    assert.equal(spawnSync(process.execPath, ["-e", nobody]).status, 1);
  });
});

/** What `npm pack` would put in. */
function filesOfPackage(): readonly string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout } = spawnSync("npm", args, {
    cwd: packageRoot(),
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  const packed = z.array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }));
  const [first] = packed.parse(JSON.parse(stdout));
  assert.equal(first?.filename, TARBALL);
  return first.files.map(({ path }) => path);
}

const service = z.object({
  image: z.string(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()),
  networks: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  init: z.literal(true),
  restart: z.literal("unless-stopped"),
  cap_drop: z.tuple([z.literal("ALL")]),
  ulimits: z.object({ memlock: z.literal(-1), nofile: z.number() }),
  security_opt: z.array(z.string()),
});
const compose = z.object({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.unknown()),
  networks: z.record(z.string(), z.unknown()).default({}),
});

/** `${NAME:-default}` as Compose fills it in where nobody sets the variable. */
function filledIn(environment: Readonly<Record<string, string>>): Record<string, string> {
  const fill = (value: string): string => value.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, "$1");
  return Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, fill(value)]));
}

for (const file of ["compose.host.yaml", "compose.bridge.yaml"]) {
  describe(file, () => {
    const [document] = yamlDocuments(`docker/${file}`);
    const { services, volumes, networks } = compose.parse(document);
    const entries = Object.entries(services);

    test("names the image that the Dockerfile's page builds, and only what it declares", () => {
      for (const [, { image, volumes: mounts, networks: joined }] of entries) {
        assert.equal(image, IMAGE);
        for (const mount of mounts) {
          const [source = "", target] = mount.split(":");
          assert.ok(source in volumes, mount);
          assert.equal(target, "/data");
        }
        for (const network of joined) assert.ok(network in networks, network);
      }
      assert.ok(deploymentFile("docker/README.md").includes(`--tag ${IMAGE}`));
    });

    test("every node would start, and the peers are services", async () => {
      for (const [, { command, environment }] of entries) {
        const settings = await settingsOf(command, filledIn(environment));
        assert.equal(settings.open, true);
        for (const { host, port } of settings.peer) {
          assert.ok(host in services, host);
          assert.equal(port, DEFAULT_GRPC_PORT);
        }
      }
    });
  });
}

describe("compose.bridge.yaml", () => {
  const { services } = compose.parse(yamlDocuments("docker/compose.bridge.yaml")[0]);

  test("one head waits for all nodes, and every node is the head or its peer", async () => {
    const settings = await Promise.all(
      Object.entries(services).map(async ([key, { command }]) => ({ key, ...(await settingsOf(command)) })),
    );
    const heads = settings.filter(({ model }) => model !== null);
    assert.deepEqual(
      heads.map(({ minNodes }) => minNodes),
      [settings.length],
    );
    const peers = heads.flatMap(({ peer }) => peer.map(({ host }) => host));
    const others = settings.map(({ key }) => key).filter((key) => key !== heads[0]?.key);
    assert.deepEqual(peers.toSorted(), others.toSorted());
  });

  test("the API is published on this machine only", () => {
    const published = Object.values(services).flatMap(({ ports }) => ports);
    assert.deepEqual(published, [`127.0.0.1:${DEFAULT_HTTP_PORT}:${DEFAULT_HTTP_PORT}`]);
  });
});

describe("compose.host.yaml", () => {
  test("uses the machine's network, and keeps the API on the machine", async () => {
    const { services } = compose.parse(yamlDocuments("docker/compose.host.yaml")[0]);
    const [node] = Object.values(services);
    assert.equal(node?.network_mode, "host");
    const settings = await settingsOf(node?.command ?? [], filledIn(node?.environment ?? {}));
    assert.equal(settings.http.host, "127.0.0.1");
    assert.equal(settings.model, null);
    assert.equal(settings.grpc.port, DEFAULT_GRPC_PORT);
  });
});
