import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Answer, decode, encode, type Packet } from "dns-packet";
import fc from "fast-check";
import {
  type Announcement,
  asksFor,
  heardIn,
  QUESTION,
  SERVICE,
  TTL_SECONDS,
  toPacket,
} from "../../src/discovery/announcement.js";

const OWN: Announcement = {
  nodeId: "0123456789abcdef",
  instance: "k3j2h1g5",
  name: "desk",
  version: "0.1.0",
  protocolVersion: 1,
  cluster: "default",
  port: 52_416,
};

function sent(packet: Packet): Packet {
  return decode(Buffer.from(encode(packet)));
}

describe("announcements", () => {
  test("come out of a packet as they went in", () => {
    const addresses = ["10.0.0.1", "fd00::1"];
    assert.deepEqual(heardIn(sent(toPacket(OWN, addresses, TTL_SECONDS))), [
      { instanceName: `${OWN.nodeId}.${SERVICE}`, announcement: OWN, addresses, ttlSeconds: TTL_SECONDS },
    ]);
  });

  test("of a node that leaves name it alone", () => {
    assert.deepEqual(heardIn(sent(toPacket(OWN, ["10.0.0.1"], 0))), [
      { instanceName: `${OWN.nodeId}.${SERVICE}`, announcement: null, addresses: [], ttlSeconds: 0 },
    ]);
  });

  test("answer the question for nodes and those for this one, however they are written, and no others", () => {
    assert.equal(asksFor(sent(QUESTION), OWN.nodeId), true);
    const question = (name: string): Packet => ({ type: "query", questions: [{ type: "SRV", name }] });
    for (const name of ["_Exo-Native._TCP.local", `${OWN.nodeId.toUpperCase()}.${SERVICE}`, `${OWN.nodeId}.local`]) {
      assert.equal(asksFor(sent(question(name)), OWN.nodeId), true, name);
    }
    for (const name of ["_http._tcp.local", `other.${SERVICE}`, "local"]) {
      assert.equal(asksFor(sent(question(name)), OWN.nodeId), false, name);
    }
    assert.equal(asksFor(sent(toPacket(OWN, [], 120)), OWN.nodeId), false);
  });

  test("that lack something, or say something that cannot be, are left out; others in the packet are not", () => {
    const good = toPacket(OWN, ["10.0.0.1"], 120);
    const txt = (data: readonly string[]): Packet => {
      const instance = `other.${SERVICE}`;
      const records: Answer[] = [
        { type: "PTR", name: SERVICE, ttl: 120, data: instance },
        { type: "SRV", name: instance, ttl: 120, data: { port: 5, target: "other.local" } },
        { type: "TXT", name: instance, ttl: 120, data: [...data] },
        ...(good.answers ?? []),
        ...(good.additionals ?? []),
      ];
      return { type: "response", answers: records };
    };
    const fields = { id: "x", boot: "y", name: "other", version: "1", protocol: "1", cluster: "default" };
    const written = (change: object) =>
      Object.entries({ ...fields, ...change }).map(([key, value]) => `${key}=${value}`);
    assert.equal(heardIn(sent(txt(written({})))).length, 2);
    const wrong = [
      [],
      ["id"],
      written({ id: "" }),
      written({ id: "a b" }),
      written({ protocol: "-1" }),
      written({ name: "" }),
    ];
    for (const data of [...wrong, written({ protocol: "x" }), written({ cluster: "c".repeat(65) })]) {
      const heard = heardIn(sent(txt(data)));
      assert.deepEqual(
        heard.map(({ announcement }) => announcement?.nodeId),
        [OWN.nodeId],
        data.join(" "),
      );
    }
  });

  test("of other programs mean nothing", () => {
    const records: Answer[] = [{ type: "PTR", name: "_http._tcp.local", ttl: 120, data: "printer._http._tcp.local" }];
    assert.deepEqual(heardIn(sent({ type: "response", answers: records })), []);
    assert.deepEqual(
      heardIn(sent({ type: "query", questions: [], answers: toPacket(OWN, [], 120).answers ?? [] })),
      [],
    );
  });

  test("that are damaged anywhere fail to decode or mean something well formed", () => {
    const bytes = Buffer.from(encode(toPacket(OWN, ["10.0.0.1", "fd00::1"], 120)));
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(damage, fc.nat(bytes.length), (changes, length) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[at] = value;
        const packet = decodedOrNull(damaged.subarray(0, length === 0 ? undefined : length));
        if (packet === null) return;
        asksFor(packet, OWN.nodeId);
        for (const { announcement } of heardIn(packet)) {
          if (announcement === null) continue;
          assert.ok(announcement.port >= 1 && announcement.port <= 65_535);
          assert.match(announcement.nodeId, /^[\x21-\x7e]{1,128}$/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

function decodedOrNull(bytes: Buffer): Packet | null {
  try {
    return decode(bytes);
  } catch {
    return null;
  }
}
