import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RingControl } from "../../src/api/ports.js";
import type { LoadOptions } from "../../src/cluster/model-request.js";
import { ExoError } from "../../src/core/errors.js";
import { errorOf, MODEL, RING, withApi } from "./api-under-test.js";

const LOADING = { ...RING, state: "loading" as const, progress: 0.5 };

/** Keeps what it is asked for. */
class ScriptedRings implements RingControl {
  readonly asked: { readonly model: string; readonly options: LoadOptions }[] = [];
  readonly unloaded: string[] = [];
  ready = false;

  async load(model: string, options: LoadOptions) {
    this.asked.push({ model, options });
    if (model === "nothing") throw new ExoError("model_not_found", "There is no model nothing.", { param: "model" });
    return this.ready ? RING : LOADING;
  }

  async whenReady(model: string) {
    if (model === "huge") throw new ExoError("out_of_memory", "huge does not fit.");
    return RING;
  }

  async unload(ringId: string) {
    if (ringId !== RING.id) throw new ExoError("model_not_found", `There is no ring ${ringId}.`, { param: "id" });
    this.unloaded.push(ringId);
    return RING;
  }
}

const PATH = "/cluster/rings";
const NOTHING_SAID = {
  replicas: 1,
  pinned: false,
  minNodes: null,
  nodes: null,
  strategy: null,
  contextSize: null,
  slots: null,
  spares: null,
  kv: null,
  kvV: null,
  layers: null,
  keepAliveSeconds: null,
};

describe("POST /cluster/rings", () => {
  test("answers 202 while it is loaded, 200 when it is, and waits when asked to", async () => {
    const rings = new ScriptedRings();
    await withApi(
      async ({ post }) => {
        const begun = await post(PATH, { model: MODEL });
        assert.deepEqual([begun.status, await begun.json()], [202, JSON.parse(JSON.stringify(LOADING))]);
        const waited = await post(PATH, { model: MODEL, wait: true });
        assert.deepEqual([waited.status, await waited.json()], [200, JSON.parse(JSON.stringify(RING))]);
        rings.ready = true;
        assert.equal((await post(PATH, { model: MODEL })).status, 200);
      },
      { rings },
    );
    assert.deepEqual(rings.asked[0], { model: MODEL, options: NOTHING_SAID });
  });

  test("takes every option", async () => {
    const rings = new ScriptedRings();
    await withApi(
      async ({ post }) => {
        await post(PATH, { model: MODEL, replicas: 3, pinned: true, min_nodes: 2, nodes: ["a"], keep_alive: "30m" });
        await post(PATH, {
          model: MODEL,
          context_size: 4096,
          slots: 2,
          strategy: "memory-weighted",
          kv: "q8_0",
          kv_v: "f16",
          layers: "0-1@a,1-4@b",
          keep_alive: 5,
        });
        await post(PATH, { model: MODEL, keep_alive: "never" });
      },
      { rings },
    );
    const [first, second, third] = rings.asked.map(({ options }) => options);
    assert.deepEqual(first, {
      ...NOTHING_SAID,
      replicas: 3,
      pinned: true,
      minNodes: 2,
      nodes: ["a"],
      keepAliveSeconds: 1800,
    });
    assert.deepEqual(second, {
      ...NOTHING_SAID,
      contextSize: 4096,
      slots: 2,
      strategy: "memory-weighted",
      kv: "q8_0",
      kvV: "f16",
      layers: [
        { node: "a", begin: 0, end: 1 },
        { node: "b", begin: 1, end: 4 },
      ],
      keepAliveSeconds: 5,
    });
    assert.equal(third?.keepAliveSeconds, Number.POSITIVE_INFINITY);
  });

  test("refuses what cannot be meant, and says why a model cannot be loaded", async () => {
    await withApi(
      async ({ post }) => {
        const cases = [
          [{}, 400, "invalid_argument", "model"],
          [{ model: 1 }, 400, "invalid_argument", "model"],
          [{ model: MODEL, replicas: 0 }, 400, "invalid_argument", "replicas"],
          [{ model: MODEL, layers: "all" }, 400, "invalid_argument", "layers"],
          [{ model: MODEL, layers: "0-4@a", replicas: 2 }, 400, "invalid_argument", "layers"],
          [{ model: MODEL, kv: "q1" }, 400, "invalid_argument", "kv"],
          [{ model: MODEL, keep_alive: "soon" }, 400, "invalid_argument", "keep_alive"],
          [{ model: "nothing" }, 404, "model_not_found", "model"],
          [{ model: "huge", wait: true }, 507, "out_of_memory", null],
        ] as const;
        for (const [body, status, code, param] of cases) {
          const answer = await post(PATH, body);
          const error = await errorOf(answer);
          assert.deepEqual([answer.status, error.code, error.param], [status, code, param], JSON.stringify(body));
        }
      },
      { rings: new ScriptedRings() },
    );
  });

  test("asks for the key as other routes do", async () => {
    await withApi(
      async ({ post, url }) => {
        assert.equal((await post(PATH, { model: MODEL })).status, 401);
        assert.equal((await fetch(`${url}${PATH}/${RING.id}`, { method: "DELETE" })).status, 401);
      },
      { rings: new ScriptedRings(), apiKeys: ["sesame-open"] },
    );
  });
});

describe("DELETE /cluster/rings/{id}", () => {
  test("answers with the ring as it was, and 404 when there is none", async () => {
    const rings = new ScriptedRings();
    await withApi(
      async ({ url }) => {
        const gone = await fetch(`${url}${PATH}/${RING.id}`, { method: "DELETE" });
        assert.deepEqual([gone.status, await gone.json()], [200, JSON.parse(JSON.stringify(RING))]);
        const none = await fetch(`${url}${PATH}/other`, { method: "DELETE" });
        assert.deepEqual([none.status, (await errorOf(none)).param], [404, "id"]);
      },
      { rings },
    );
    assert.deepEqual(rings.unloaded, [RING.id]);
  });
});
