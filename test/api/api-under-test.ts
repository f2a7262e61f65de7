import assert from "node:assert/strict";
import type { ClusterRing, ClusterSnapshot } from "../../src/api/cluster-snapshot.js";
import { type Api, type ApiInit, createApi } from "../../src/api/server.js";
import { ExoError } from "../../src/core/errors.js";
import { silentLogger } from "../../src/core/ports.js";
import { ScriptedInference } from "./scripted-inference.js";

export const MODEL = "demo/tiny:Q8_0";

export const RING: ClusterRing = {
  id: "r1",
  epoch: 2,
  model: MODEL,
  state: "ready",
  reason: null,
  progress: 1,
  layer_count: 24,
  context_size: 4096,
  stages: [stage("n1", 0, 14, true, 310 * 2 ** 20), stage("n2", 14, 24, false, 180 * 2 ** 20)],
};

export const SNAPSHOT: ClusterSnapshot = {
  node: { id: "n1", name: "desk", version: "0.1.0" },
  nodes: [
    {
      id: "n1",
      name: "desk",
      version: "0.1.0",
      address: "127.0.0.1:52416",
      state: "alive",
      reason: null,
      devices: [{ name: "CPU", description: "a processor", memory_total: 16 * 2 ** 30, memory_free: 9 * 2 ** 30 }],
    },
    {
      id: "n2",
      name: "laptop",
      version: "0.1.0",
      address: "10.0.0.2:52416",
      state: "alive",
      reason: null,
      devices: [],
    },
    {
      id: "n3",
      name: "attic <b>box</b>",
      version: "0.0.9",
      address: "10.0.0.3:52416",
      state: "refused",
      reason: "It runs exo-native 0.0.9; this node runs 0.1.0.",
      devices: [],
    },
  ],
  rings: [RING],
};

function stage(node: string, begin: number, end: number, hasOutput: boolean, weights: number) {
  return {
    node_id: node,
    layer_begin: begin,
    layer_end: end,
    has_output: hasOutput,
    memory: { weights, kv_cache: 2 ** 20, compute: 2 ** 20 },
  };
}

export interface ApiUnderTest {
  readonly api: Api;
  readonly url: string;
  readonly inference: ScriptedInference;
  /** POSTs JSON; a string goes out as it is. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

const refuse = async (): Promise<never> => {
  throw new ExoError("model_not_found", "This server under test plans and fetches nothing.");
};

export const NO_PLANNER = { plan: refuse, estimate: refuse };
export const NO_LIBRARY = { describe: async () => null, resolve: refuse, remove: refuse };

/** Runs `use` against a real server on a free loopback port, and stops it after. */
export async function withApi(use: (under: ApiUnderTest) => Promise<void>, init: Partial<ApiInit> = {}): Promise<void> {
  const inference = new ScriptedInference();
  const api = createApi({
    inference,
    models: {
      list: () => [{ id: MODEL, aliases: ["tiny"], created: 1_700_000_000, ownedBy: "exo-native", contextSize: 4096 }],
    },
    planner: NO_PLANNER,
    cluster: { snapshot: () => SNAPSHOT, readiness: () => ({ ready: true, reason: null }) },
    library: NO_LIBRARY,
    rings: { load: async () => RING, whenReady: async () => RING, unload: async () => RING },
    nodes: { drain: async (node, draining) => ({ node: { id: node, name: node }, draining, rings: [] }) },
    logger: silentLogger,
    host: "127.0.0.1",
    port: 0,
    systemFingerprint: "exo-native-0.1.0+b1234",
    ...init,
  });
  await api.start();
  const url = api.address?.url ?? "";
  const post: ApiUnderTest["post"] = (path, body, extra = {}) =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...extra,
    });
  try {
    await use({ api, url, inference, post });
  } finally {
    await api.stop();
  }
}

export interface ErrorAnswer {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export async function errorOf(response: Response): Promise<ErrorAnswer["error"]> {
  const body = (await response.json()) as ErrorAnswer;
  return body.error;
}

/** The data of a whole stream whose events have names, by name, in order. */
export async function namedEventsOf(response: Response): Promise<readonly (readonly [string, unknown])[]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block !== "" && !block.startsWith(":"));
  return blocks.map((block) => {
    const match = /^event: (.+)\ndata: (.+)$/.exec(block);
    assert.ok(match !== null, block);
    return [match[1] ?? "", JSON.parse(match[2] ?? "")];
  });
}

/** The documents of a whole stream of JSON lines. */
export async function linesOf(response: Response): Promise<readonly Record<string, unknown>[]> {
  const text = await response.text();
  assert.ok(text.endsWith("\n"), "the last line is whole");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The events of a whole stream: parsed JSON, or text such as `[DONE]` and comments. */
export async function eventsOf(response: Response): Promise<readonly unknown[]> {
  const blocks = (await response.text()).split("\n\n").filter((block) => block !== "");
  return blocks.map((block) => (block.startsWith("data: {") ? JSON.parse(block.slice(6)) : block));
}

export const QUESTION = { messages: [{ role: "user", content: "What is the capital of France?" }] };
