import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseJoin } from "../../src/config/invite.js";
import { formatJoinToken, isJoinToken, type JoinToken, parseJoinToken } from "../../src/config/join-token.js";

const TOKEN: JoinToken = {
  authority: "ab".repeat(32),
  inviteId: "0102030405060708",
  secret: "ff".repeat(16),
  expiresAt: 1_800_000_000_000,
  peers: [
    { host: "192.168.1.20", port: 52_416 },
    { host: "fd00::1", port: 7000 },
  ],
};

describe("join tokens", () => {
  test("are read and written alike, as one word that shells leave alone", () => {
    const text = formatJoinToken(TOKEN);
    assert.match(text, /^exo-join-[A-Za-z0-9_-]+$/);
    assert.ok(text.length < 200, `${text.length} characters`);
    assert.deepEqual(parseJoinToken(`  ${text}\n`, 1), TOKEN);
  });

  test("that were cut or changed anywhere are none", () => {
    const text = formatJoinToken(TOKEN);
    fc.assert(
      fc.property(fc.integer({ min: 9, max: text.length - 1 }), fc.constantFrom("A", "b", "7", ""), (at, instead) => {
        const changed = text.slice(0, at) + instead + text.slice(at + 1);
        const read = parseJoinToken(changed, 1);
        // The last character may hold bits that no byte takes.
        if (read !== null) assert.deepEqual(read, TOKEN);
      }),
    );
    assert.equal(parseJoinToken(text.slice(0, -3), 1), null);
    assert.equal(parseJoinToken("exo-join-", 1), null);
    assert.equal(parseJoinToken("exo-join-AAAA", 1), null);
  });

  test("are told from invites to open clusters", () => {
    const text = formatJoinToken(TOKEN);
    assert.ok(isJoinToken(text));
    assert.deepEqual(parseJoin(text, 1), { peers: TOKEN.peers, cluster: null, token: TOKEN });
    assert.equal(isJoinToken("exo-native://desk:1"), false);
    assert.deepEqual(parseJoin("exo-native://desk:1", 1), { peers: [{ host: "desk", port: 1 }], cluster: null });
  });
});
