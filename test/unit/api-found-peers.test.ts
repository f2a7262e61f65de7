import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ClusterNode } from "../../src/api/cluster-snapshot.js";
import { strangersAmong, toDiscovery, toStranger } from "../../src/api/found-peers.js";
import { withNameNotices } from "../../src/api/same-names.js";
import type { DiscoveredPeer } from "../../src/discovery/discovery.js";

const OWN_ID = "id-own";

function found(host: string, change: Partial<DiscoveredPeer> = {}): DiscoveredPeer {
  const peer: DiscoveredPeer = {
    address: { host, port: 1 },
    source: "mdns",
    state: "searching",
    identity: null,
    reason: `Nothing answers at ${host}:1.`,
    via: null,
  };
  return { ...peer, ...change };
}

function strangers(...seen: readonly DiscoveredPeer[]): readonly string[] {
  const members = [{ id: "id-member", address: { host: "member", port: 1 } }];
  return strangersAmong(seen, OWN_ID, members).map(({ address }) => address.host);
}

const identity = (name: string) => ({ nodeId: `id-${name}`, name });

describe("who is listed beside the members", () => {
  test("those who do not answer, or refuse", () => {
    const refused = found("b", { state: "unused", identity: identity("b") });
    assert.deepEqual(strangers(found("a"), refused), ["b", "a"]);
    assert.deepEqual(toStranger(refused).state, "refused");
  });

  test("no member, whatever its address, and not this node", () => {
    assert.deepEqual(
      strangers(
        found("member"),
        found("other-way", { identity: identity("member") }),
        found("a", { state: "reachable", identity: identity("a"), reason: null }),
        found("me", { state: "self", identity: identity("own") }),
      ),
      [],
    );
  });

  test("no machine of a tailnet that never was a node", () => {
    assert.deepEqual(strangers(found("phone", { source: "tailscale" })), []);
    assert.deepEqual(strangers(found("other", { source: "tailscale", state: "unused" })), ["other"]);
  });

  test("each once, by the address that says most", () => {
    const attic = identity("attic");
    const answered = found("v4", { state: "unused", identity: attic, reason: "Another release." });
    assert.deepEqual(strangers(found("v6", { identity: attic }), answered), ["v4"]);
  });

  test("a copy of this node, under its address", () => {
    const copy = found("clone", { state: "unused", identity: identity("own"), reason: "The same id." });
    const [stranger] = strangersAmong([copy], OWN_ID, []).map(toStranger);
    assert.deepEqual([stranger?.id, stranger?.reason, stranger?.source], ["clone:1", "The same id.", "mdns"]);
  });
});

test("every address that was found is told with what found it and what it is reached through", () => {
  const sources = [{ kind: "mdns", state: "running", detail: "On eth0 (wired, IPv4)." }] as const;
  const via = { interface: "eth0", kind: "wired" } as const;
  const reached = found("a", { state: "reachable", identity: identity("a"), reason: null, via });
  assert.deepEqual(toDiscovery(sources, [reached]), {
    sources,
    peers: [
      {
        address: "a:1",
        source: "mdns",
        state: "reachable",
        reason: null,
        node_id: "id-a",
        name: "a",
        interface: "eth0",
        link: "wired",
      },
    ],
  });
});

test("of nodes that are called alike the first bears a notice, those that take no part do not count", () => {
  const node = (id: string, name: string, state: ClusterNode["state"] = "alive"): ClusterNode => {
    return { id, name, version: "", address: `${id}:1`, state, reason: null, devices: [] };
  };
  const notices = withNameNotices([
    node("1", "pi"),
    node("2", "pi"),
    node("3", "pi", "suspect"),
    node("4", "desk"),
    node("5", "desk", "gone"),
  ]).map(({ notice }) => notice);
  const pi = "3 nodes are named pi; start each with a --name of its own.";
  assert.deepEqual(notices, [pi, undefined, undefined, undefined, undefined]);
});
