import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT } from "../../src/config/options.js";
import { deploymentFile, packageManifest, settingsOf, yamlDocuments } from "../support/deployment-files.js";

const labels = z.record(z.string(), z.string());
const port = z.object({ name: z.string(), port: z.number(), targetPort: z.string() });
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });

const service = z.object({
  kind: z.literal("Service"),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: labels,
    ports: z.array(port),
  }),
});

const container = z.object({
  image: z.string(),
  command: z.tuple([z.literal("/bin/sh"), z.literal("-c")]),
  args: z.tuple([z.string()]),
  env: z.array(z.object({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() })),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.object({ requests: labels, limits: labels }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.tuple([z.literal("ALL")]) }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
});

const statefulSet = z.object({
  kind: z.literal("StatefulSet"),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    serviceName: z.string(),
    replicas: z.number(),
    podManagementPolicy: z.literal("Parallel"),
    selector: z.object({ matchLabels: labels }),
    template: z.object({
      metadata: z.object({ labels }),
      spec: z.object({
        securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.number(), fsGroup: z.number() }),
        affinity: z.object({
          podAntiAffinity: z.object({
            requiredDuringSchedulingIgnoredDuringExecution: z.tuple([
              z.object({ topologyKey: z.string(), labelSelector: z.object({ matchLabels: labels }) }),
            ]),
          }),
        }),
        containers: z.tuple([container]),
        volumes: z.array(z.object({ name: z.string() })),
      }),
    }),
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
  }),
});

const policy = z.object({
  kind: z.literal("NetworkPolicy"),
  spec: z.object({
    podSelector: z.object({ matchLabels: labels }),
    ingress: z.array(
      z.object({
        from: z.array(z.object({ podSelector: z.object({ matchLabels: labels }) })).optional(),
        ports: z.array(z.object({ port: z.string() })),
      }),
    ),
  }),
});

const budget = z.object({
  kind: z.literal("PodDisruptionBudget"),
  spec: z.object({ selector: z.object({ matchLabels: labels }) }),
});

const manifest = z.tuple([service, service, budget, policy, statefulSet]);

describe("Kubernetes manifest", () => {
  const [headless, api, disruption, network, set] = manifest.parse(yamlDocuments("kubernetes/exo-native.yaml"));
  const { template } = set.spec;
  const [node] = template.spec.containers;
  const podLabels = template.metadata.labels;
  const portOf = (name: string) => node.ports.find((one) => one.name === name)?.containerPort;
  const variable = (name: string) => node.env.find((one) => one.name === name)?.value ?? "";

  test("services, policy and budget mean the pods of the set", () => {
    assert.equal(set.spec.serviceName, headless.metadata.name);
    for (const selected of [
      headless.spec.selector,
      api.spec.selector,
      disruption.spec.selector.matchLabels,
      network.spec.podSelector.matchLabels,
      set.spec.selector.matchLabels,
      template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector
        .matchLabels,
    ]) {
      assert.deepEqual(selected, podLabels);
    }
  });

  test("the headless service tells of pods before they are ready, or none ever would be", () => {
    assert.deepEqual([headless.spec.clusterIP, headless.spec.publishNotReadyAddresses], ["None", true]);
  });

  test("ports are those of a node, and every name of one is a port of the container", () => {
    assert.deepEqual([portOf("http"), portOf("grpc")], [DEFAULT_HTTP_PORT, DEFAULT_GRPC_PORT]);
    assert.deepEqual(headless.spec.ports, [{ name: "grpc", port: DEFAULT_GRPC_PORT, targetPort: "grpc" }]);
    const named = [
      ...api.spec.ports.map(({ targetPort }) => targetPort),
      ...network.spec.ingress.flatMap(({ ports }) => ports.map((one) => one.port)),
      node.livenessProbe.httpGet.port,
      node.readinessProbe.httpGet.port,
      node.startupProbe.httpGet.port,
    ];
    for (const name of named) assert.ok(portOf(name) !== undefined, name);
  });

  test("only pods of the ring reach the port of nodes", () => {
    const rule = network.spec.ingress.find(({ ports }) => ports.some((one) => one.port === "grpc"));
    assert.deepEqual(rule?.from, [{ podSelector: { matchLabels: podLabels } }]);
  });

  test("probes ask the routes that a node has", () => {
    assert.equal(node.startupProbe.httpGet.path, "/healthz");
    assert.equal(node.livenessProbe.httpGet.path, "/healthz");
    assert.equal(node.readinessProbe.httpGet.path, "/readyz");
  });

  test("what is mounted is there, and models outlive a pod", () => {
    const claimed = set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    const volumes = [...claimed, ...template.spec.volumes.map(({ name }) => name)];
    for (const { name } of node.volumeMounts) assert.ok(volumes.includes(name), name);
    const data = node.volumeMounts.find(({ mountPath }) => mountPath === "/data");
    assert.ok(claimed.includes(data?.name ?? ""));
    assert.deepEqual(Object.keys(node.resources.limits).toSorted(), ["cpu", "memory"]);
  });

  test("the image is the one that the Dockerfile's page builds", () => {
    const { name, version } = packageManifest();
    assert.equal(node.image, `${name}:${version}`);
    assert.match(deploymentFile("docker/Dockerfile"), /^USER node$/m);
    // The user `node` of the official images.
    assert.equal(template.spec.securityContext.runAsUser, 1000);
    assert.equal(template.spec.securityContext.fsGroup, 1000);
  });

  test("each pod starts a node that knows the others; the first one places the model", {
    skip: process.platform === "win32",
  }, async () => {
    assert.equal(variable("NODES"), String(set.spec.replicas));
    const pods = Array.from({ length: set.spec.replicas }, (_, index) => `${set.metadata.name}-${index}`);
    for (const [index, pod] of pods.entries()) {
      const settings = await settingsOf(argumentsOf(pod, node, { NODES: variable("NODES"), MODEL: variable("MODEL") }));
      assert.deepEqual([settings.name, settings.open], [pod, true]);
      const others = pods.filter((other) => other !== pod).map((other) => `${other}.${headless.metadata.name}`);
      assert.deepEqual(
        settings.peer.map(({ host }) => host),
        others,
      );
      assert.equal(settings.model, index === 0 ? variable("MODEL") : null);
      assert.equal(settings.minNodes, index === 0 ? set.spec.replicas : 1);
    }
  });
});

/** Runs the container's script with a program in place of ours that tells its arguments. */
function argumentsOf(
  pod: string,
  { command: [shell, flag], args: [script] }: z.infer<typeof container>,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const bin = mkdtempSync(join(tmpdir(), "exo-pod-"));
  try {
    writeFileSync(join(bin, "exo-native"), '#!/bin/sh\nfor argument in "$@"; do echo "$argument"; done\n', {
      mode: 0o755,
    });
    const path = `${bin}:/usr/bin:/bin`;
    const run = spawnSync(shell, [flag, script], { env: { ...env, POD_NAME: pod, PATH: path }, encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return run.stdout.trim().split("\n");
  } finally {
    rmSync(bin, { recursive: true });
  }
}
