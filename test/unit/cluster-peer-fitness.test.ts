import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isSelf, MOST_CLOCK_SKEW_MS, whyUnfit } from "../../src/cluster/peer-fitness.js";
import type { NodeHello } from "../../src/transport/node-service.js";

const NOW = 1_800_000_000_000;
const OWN: NodeHello = {
  cluster: "default",
  protocolVersion: 1,
  llamaTag: "b1234",
  llamaCommit: "0123456789abcdef",
  nodeId: "id-a",
  name: "desk",
  version: "0.1.0",
  capabilities: [],
  grpcPort: 52_416,
  timeMs: NOW,
  instance: "one",
};
const PEER: NodeHello = { ...OWN, nodeId: "id-b", name: "attic", instance: "two" };
const AT = "10.0.0.2:52416";

describe("a peer", () => {
  test("whose clock is near enough can be used", () => {
    for (const skew of [0, MOST_CLOCK_SKEW_MS, -MOST_CLOCK_SKEW_MS]) {
      assert.equal(whyUnfit(OWN, { ...PEER, timeMs: NOW + skew }, AT), null);
    }
  });

  test("whose clock is wrong cannot, and is told by how much", () => {
    const told = (skewMinutes: number) => whyUnfit(OWN, { ...PEER, timeMs: NOW + skewMinutes * 60_000 }, AT);
    assert.equal(
      told(7),
      "The clock of attic at 10.0.0.2:52416 is 7 minutes ahead of this node's. Set both by the network (NTP).",
    );
    assert.match(told(-61) ?? "", /is 1 hour 1 minute behind this node's/);
    assert.match(told(-(2 * 1440 + 5)) ?? "", /is 2 days 5 minutes behind/);
    assert.match(whyUnfit(OWN, { ...PEER, timeMs: 0 }, AT) ?? "", /is 20833 days 8 hours behind/);
  });

  test("that is this very process is known as such", () => {
    assert.equal(isSelf(OWN, OWN), true);
    assert.equal(whyUnfit(OWN, OWN, AT), "10.0.0.2:52416 is this node itself.");
  });

  test("that is a copy with the same id is told from it", () => {
    const copy = { ...PEER, nodeId: OWN.nodeId };
    assert.equal(isSelf(OWN, copy), false);
    assert.match(whyUnfit(OWN, copy, AT) ?? "", /^attic at 10\.0\.0\.2:52416 has the same id .* machine-id/);
  });
});
