import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { digestOf } from "../../src/cluster/membership/digest.js";
import { readGossip } from "../../src/cluster/membership/gossip-message.js";
import { sampleRecord } from "../support/sample-record.js";

const item = (record: unknown) => ({ record, standing: "alive", goneMs: 0, at: "10.0.0.1:5" });

describe("a gossip message", () => {
  test("is read as it was sent", () => {
    const record = sampleRecord({ id: "b", addresses: ["10.0.0.2:52416", "[fd00::2]:52416"] });
    const message = {
      from: "b",
      digests: [digestOf(record, "suspect", 0, true)],
      items: [item(record)],
      wanted: ["c"],
    };
    assert.deepEqual(readGossip(message), { message, faults: [] });
  });

  test("with a malformed part loses that part only, and the part is named", () => {
    const good = sampleRecord({ id: "good" });
    const { message, faults } = readGossip({
      from: "b",
      digests: [{ id: "x" }, digestOf(good, "alive", 0, false)],
      items: [item({ ...good, id: "bad", devices: "many" }), item(good), "nonsense"],
      wanted: [],
    });
    assert.deepEqual(
      message.items.map(({ record }) => record.id),
      ["good"],
    );
    assert.deepEqual(
      message.digests?.map(({ id }) => id),
      ["good"],
    );
    assert.equal(faults.length, 3);
    assert.match(faults.join("\n"), /a record of node bad that is malformed at record\.devices/);
  });

  test("that tells what cannot be is refused in that part", () => {
    const record = sampleRecord();
    for (const wrong of [
      { incarnation: -1 },
      { incarnation: 2 ** 49 },
      { incarnation: 1.5 },
      { revision: "new" },
      { instance: "" },
      { instance: "two words" },
      { id: "" },
      { addresses: ["no address"] },
      { addresses: ["10.0.0.1:0"] },
      { addresses: Array.from({ length: 33 }, (_, index) => `10.0.0.${index}:1`) },
    ]) {
      const { message, faults } = readGossip({
        from: "b",
        digests: null,
        items: [item({ ...record, ...wrong })],
        wanted: [],
      });
      assert.deepEqual([message.items.length, faults.length], [0, 1], JSON.stringify(wrong));
    }
  });

  test("that is none is refused as a whole", () => {
    for (const value of [null, "gossip", [], { from: "b" }, { from: "a b", digests: null, items: [], wanted: [] }]) {
      assert.throws(() => readGossip(value), { code: "peer_incompatible" });
    }
    const endless = {
      from: "b",
      digests: null,
      items: [],
      wanted: Array.from({ length: 2000 }, (_, index) => `n${index}`),
    };
    assert.throws(() => readGossip(endless), { code: "peer_incompatible" });
  });

  test("that is all faults is complained of briefly", () => {
    const items = Array.from({ length: 1000 }, () => "nonsense");
    assert.equal(readGossip({ from: "b", digests: null, items, wanted: [] }).faults.length, 8);
  });
});
