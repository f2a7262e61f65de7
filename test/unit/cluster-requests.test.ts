import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { givenRequests } from "../../src/cluster/given-requests.js";
import { canonicalSpec, KnownModels } from "../../src/cluster/known-models.js";
import { modelRequest, parseModelRequest } from "../../src/cluster/model-request.js";
import { placeRequest } from "../../src/cluster/place-request.js";
import type { PlaceQuestion } from "../../src/cluster/ring-planner.js";
import { SETTINGS } from "../support/manager-network.js";
import { sampleRecord } from "../support/sample-record.js";
import { MIB, modelOf } from "./planning-models.js";

describe("what a node was started with", () => {
  test("is wanted once each, its model with the placement by hand", () => {
    const layers = [{ node: "a", begin: 0, end: 4 }];
    const settings = { ...SETTINGS, model: "tinyllama", pin: ["other", "tinyllama", "other"], layers };
    const [first, second, ...more] = givenRequests(settings, "n");
    assert.deepEqual([first?.spec, first?.layers, first?.pinned], ["tinyllama", layers, true]);
    assert.deepEqual([second?.spec, second?.layers, second?.preferredHead], ["other", null, "n"]);
    assert.deepEqual(more, []);
    assert.deepEqual(givenRequests({ ...settings, model: null, pin: [] }, "n"), []);
  });

  test("takes the type of the KV cache that is asked for, of the values too where they need no other", () => {
    const ringOf = (options: Parameters<typeof modelRequest>[2], settings = SETTINGS) => {
      const { kvTypeK, kvTypeV } = modelRequest("tiny", settings, options).ring;
      return [kvTypeK, kvTypeV];
    };
    assert.deepEqual(ringOf({}), [SETTINGS.kv, SETTINGS.kvV ?? SETTINGS.kv]);
    assert.deepEqual(ringOf({ kv: "q8_0" }), ["q8_0", "q8_0"]);
    assert.deepEqual(ringOf({ kv: "q8_0", kvV: "f16" }), ["q8_0", "f16"]);
    const plain = { ...SETTINGS, flashAttention: "off" as const };
    assert.deepEqual(ringOf({ kv: "q8_0", kvV: "f16" }, plain), ["q8_0", "f16"]);
    assert.throws(() => ringOf({ kv: "q8_0" }, plain), { code: "invalid_argument", param: "kv" });
  });

  test("survives a file, also when it is never unloaded", () => {
    const request = modelRequest("tiny", SETTINGS, { pinned: true });
    assert.equal(request.keepAliveSeconds, null);
    assert.deepEqual(parseModelRequest(JSON.parse(JSON.stringify(request))), request);
  });
});

describe("KnownModels", () => {
  const own = () => [{ id: "mine", spec: "https://example.com/mine.gguf", bytes: 5 }];
  const others = () => [
    { id: "mine", spec: "https://example.com/mine.gguf", bytes: 3 },
    { id: "theirs", spec: "https://example.com/theirs.gguf", bytes: 3 },
    { id: "tinyllama", spec: "https://example.com/not-what-it-says.gguf", bytes: 3 },
    { id: "odd", spec: "two words", bytes: 3 },
  ];

  test("finds what nodes hold and what is in the catalogue, by name and by spec", () => {
    const known = new KnownModels({ own, others });
    assert.equal(known.find("mine"), "https://example.com/mine.gguf");
    assert.equal(known.find("https://example.com/mine.gguf#part"), "https://example.com/mine.gguf");
    assert.equal(known.find("theirs"), "https://example.com/theirs.gguf");
    assert.equal(known.find("tinyllama"), "tinyllama");
    for (const name of ["nothing", "odd", "", "/etc/passwd", "https://", "two words"]) {
      assert.equal(known.find(name), null, name);
    }
    assert.deepEqual(
      known.list().filter(({ id }) => id === "mine"),
      [{ id: "mine", spec: "https://example.com/mine.gguf", bytes: 5 }],
    );
  });

  test("of several models of this node with one name the one that is loaded is meant, else none", () => {
    const urls = ["https://a.example/m.gguf", "https://b.example/m.gguf"];
    const known = new KnownModels({ own: () => urls.map((spec) => ({ id: "m", spec, bytes: 1 })), others: () => [] });
    assert.throws(() => known.find("m"), {
      code: "invalid_argument",
      message: `"m" is the name of ${urls.join(" and ")}; say which one, by its whole spec.`,
    });
    assert.equal(
      known.find("m", (spec) => spec === urls[1]),
      urls[1],
    );
    assert.throws(() => known.find("m", () => true), { code: "invalid_argument" });
    assert.equal(known.find(urls[1] ?? ""), urls[1]);
  });

  test("one spelling for every way to write a spec", () => {
    assert.equal(canonicalSpec("https://example.com/a.gguf#x"), canonicalSpec(" https://example.com/a.gguf"));
    assert.equal(canonicalSpec(canonicalSpec("./a.gguf")), canonicalSpec("./a.gguf"));
    assert.throws(() => canonicalSpec("two words"), { code: "invalid_argument" });
  });
});

describe("placeRequest", () => {
  const info = modelOf([10 * MIB, 10 * MIB, 10 * MIB]);
  const model = { id: "m", spec: "m", bytes: 30 * MIB, hash: "", info, defaults: {} };
  const memory = 400 * MIB;
  const device = { name: "CPU", description: "", kind: "cpu", memoryTotal: memory, memoryFree: memory } as const;
  const node = (id: string, memoryCap: number) => sampleRecord({ id, memoryCap, devices: [device] });
  const question = (head: string | null, preferredHead: string | null): PlaceQuestion => ({
    model,
    request: { ...modelRequest("m", SETTINGS), head, preferredHead },
    nodes: [node("large", 300 * MIB), node("medium", 200 * MIB), node("small", 25 * MIB)],
    speeds: null,
  });
  const nobody = { nodeId: "x", info: null };

  test("has the head where it is asked for, else where it is preferred", () => {
    assert.equal(placeRequest(question("medium", "large"), nobody).plan.head, "medium");
    assert.equal(placeRequest(question(null, "medium"), nobody).plan.head, "medium");
  });

  test("has it elsewhere when the preferred node is too small for it, but never when it was asked for", () => {
    const { plan } = placeRequest(question(null, "small"), nobody);
    assert.notEqual(plan.head, "small");
    assert.throws(() => placeRequest(question("small", null), nobody), { code: "out_of_memory" });
  });

  test("counts what the head holds beside its stage", () => {
    const draft = { nodeId: "medium", info: modelOf([250 * MIB]) };
    assert.throws(() => placeRequest(question("medium", null), draft), { code: "out_of_memory" });
    assert.equal(placeRequest(question("large", null), draft).plan.head, "large");
  });

  test("counts it where the plan, or who dealt the layers out by hand, chose that head", () => {
    const small = { nodeId: "large", info: modelOf([20 * MIB]) };
    const [stage] = placeRequest(question(null, null), small).plan.stages;
    assert.equal(stage?.nodeId, "large");
    assert.ok((stage?.besideBytes ?? 0) > 20 * MIB);
    const layers = [{ node: "large", begin: 0, end: 3 }];
    const byHand = (bytes: number) => {
      const asked = question(null, null);
      const beside = { nodeId: "large", info: modelOf([bytes]) };
      return placeRequest({ ...asked, request: { ...asked.request, layers } }, beside);
    };
    assert.ok((byHand(20 * MIB).plan.stages[0]?.besideBytes ?? 0) > 20 * MIB);
    assert.throws(() => byHand(290 * MIB), { code: "out_of_memory" });
  });
});
