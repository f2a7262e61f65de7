import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clockFault, MOST_CLOCK_SKEW_MS } from "../../src/cluster/clock-fault.js";
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
      assert.equal(clockFault(OWN, { ...PEER, timeMs: NOW + skew }, AT), null);
    }
  });

  test("whose clock is wrong cannot, and is told by how much", () => {
    const told = (skewMinutes: number) => clockFault(OWN, { ...PEER, timeMs: NOW + skewMinutes * 60_000 }, AT);
    assert.equal(
      told(7),
      "The clock of attic at 10.0.0.2:52416 is 7 minutes ahead of this node's. Set both by the network (NTP).",
    );
    assert.match(told(-61) ?? "", /is 1 hour 1 minute behind this node's/);
    assert.match(told(-(2 * 1440 + 5)) ?? "", /is 2 days 5 minutes behind/);
    assert.match(clockFault(OWN, { ...PEER, timeMs: 0 }, AT) ?? "", /is 20833 days 8 hours behind/);
  });
});
