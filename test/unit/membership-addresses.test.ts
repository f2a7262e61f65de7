import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AddressBook } from "../../src/cluster/membership/address-book.js";
import { ownAddresses } from "../../src/cluster/own-addresses.js";
import type { HostPort } from "../../src/config/address.js";
import { displayNames } from "../../src/core/display-names.js";
import type { LinkKind } from "../../src/discovery/interface-kind.js";

const at = (host: string, port = 1): HostPort => ({ host, port });

/** @param ways host, kind, round trip in milliseconds (`null`: failed) */
function bookOf(
  ...ways: readonly (readonly [host: string, kind: LinkKind | null, rttMs: number | null])[]
): AddressBook {
  const book = new AddressBook();
  book.told(ways.map(([host]) => at(host)));
  for (const [host, kind, rttMs] of ways) {
    book.leadsThrough(`${host}:1`, kind);
    if (rttMs === null) book.failed(`${host}:1`, "It does not answer.", 0);
    else book.measured(`${host}:1`, rttMs);
  }
  return book;
}

const order = (book: AddressBook): readonly string[] => book.candidates().map(({ address }) => address.host);

describe("the ways to a peer", () => {
  test("are ordered by measured time, and by kind where that is about the same", () => {
    const book = bookOf(
      ["wifi", "wifi", 3],
      ["cable", "wired", 0.35],
      ["thunderbolt", "thunderbolt", 0.4],
      ["broken", "thunderbolt", null],
      ["vpn", "tunnel", 12],
    );
    assert.deepEqual(order(book), ["thunderbolt", "cable", "wifi", "vpn", "broken"]);
    assert.equal(book.best(null)?.address.host, "thunderbolt");
  });

  test("are left for a better one only beyond doubt", () => {
    const same = bookOf(["a", "wired", 0.6], ["b", "wired", 0.3]);
    assert.equal(same.best("a:1")?.key, "a:1");
    const faster = bookOf(["a", "wired", 5], ["b", "wired", 0.3]);
    assert.equal(faster.best("a:1")?.key, "b:1");
    const betterKind = bookOf(["a", "wifi", 0.4], ["b", "wired", 0.4]);
    assert.equal(betterKind.best("a:1")?.key, "b:1");
    const failed = bookOf(["a", "wired", null], ["b", "tunnel", 40]);
    assert.equal(failed.best("a:1")?.key, "b:1");
    assert.equal(bookOf(["a", "wired", null]).best("a:1"), null);
  });

  test("keep an order whatever is measured", () => {
    const kind = fc.constantFrom<LinkKind | null>("thunderbolt", "wired", "wifi", "virtual", "tunnel", null);
    const way = fc.tuple(kind, fc.option(fc.double({ min: 0, max: 100, noNaN: true })));
    fc.assert(
      fc.property(fc.array(way, { maxLength: 8 }), (ways) => {
        const book = bookOf(...ways.map(([kind, rtt], index) => [`h${index}`, kind, rtt] as const));
        const sorted = book.candidates();
        const works = sorted.map(({ rttMs }) => rttMs !== null);
        assert.deepEqual(
          works,
          works.toSorted((a, b) => Number(b) - Number(a)),
          "those that work come first",
        );
        const fastest = Math.min(...sorted.map(({ rttMs }) => rttMs ?? Number.POSITIVE_INFINITY));
        const [best] = sorted;
        if (best?.rttMs != null) assert.ok(best.rttMs <= fastest * 1.5 + 0.3);
        assert.equal(book.best(null)?.key ?? null, best?.rttMs == null ? null : best.key);
      }),
    );
  });

  test("that failed are tried again, ever more seldom", () => {
    const book = bookOf(["a", null, null]);
    assert.deepEqual([book.due(29_999).length, book.due(30_000).length], [0, 1]);
    book.failed("a:1", "Still not.", 30_000);
    assert.deepEqual([book.due(89_999).length, book.due(90_000).length], [0, 1]);
    book.answered("a:1");
    assert.equal(book.due(0).length, 1);
  });

  test("follow what the peer says of itself, but keep those that were found otherwise", () => {
    const book = new AddressBook();
    assert.equal(book.told([at("old"), at("stays")]), true);
    book.add(at("found"), "found");
    assert.equal(book.told([at("stays"), at("found")]), false);
    assert.deepEqual([...order(book)].sort(), ["found", "stays"]);
    assert.equal(book.told([]), false);
    assert.deepEqual(order(book), ["found"]);
  });

  test("through the loopback interface are one: that of whoever is trusted most", () => {
    const book = new AddressBook();
    book.told([at("127.0.0.1", 10), at("192.168.0.9", 10)]);
    assert.equal(book.ways().length, 2);
    book.add(at("127.0.0.1", 99), "found");
    assert.deepEqual(
      book.ways().map(({ key }) => key),
      ["127.0.0.1:99", "192.168.0.9:10"],
    );
  });

  test("are bounded, whoever tells of them", () => {
    const book = new AddressBook();
    for (let port = 1; port <= 500; port += 1) book.add(at("10.0.0.1", port), "introduced");
    assert.equal(book.candidates().length, 32);
    assert.ok(
      book.candidates().some(({ address }) => address.port === 500),
      "the last ones stay",
    );
  });
});

describe("a node's own addresses", () => {
  const interfaces = [
    {
      kind: "loopback",
      addresses: [
        { address: "127.0.0.1", family: 4 },
        { address: "::1", family: 6 },
      ],
    },
    {
      kind: "wifi",
      addresses: [
        { address: "fe80::1", family: 6 },
        { address: "192.168.1.5", family: 4 },
      ],
    },
    { kind: "thunderbolt", addresses: [{ address: "169.254.7.7", family: 4 }] },
    {
      kind: "wired",
      addresses: [
        { address: "fd00::5", family: 6 },
        { address: "10.0.0.5", family: 4 },
      ],
    },
  ] as const;

  test("are that at which it listens", () => {
    assert.deepEqual(ownAddresses(at("192.168.1.5", 7), interfaces), ["192.168.1.5:7"]);
    assert.deepEqual(ownAddresses(at("::1", 7), interfaces), ["[::1]:7"]);
    assert.deepEqual(ownAddresses(at("0.0.0.0", 0), interfaces), [], "it does not listen yet");
  });

  test("are all when it listens on all, the best first, without those that only mean something on one link", () => {
    assert.deepEqual(ownAddresses(at("0.0.0.0", 7), interfaces), ["10.0.0.5:7", "192.168.1.5:7", "169.254.7.7:7"]);
    assert.deepEqual(ownAddresses(at("::", 7), interfaces), [
      "10.0.0.5:7",
      "[fd00::5]:7",
      "192.168.1.5:7",
      "169.254.7.7:7",
    ]);
  });

  test("are that of the machine alone where there is no network", () => {
    assert.deepEqual(ownAddresses(at("0.0.0.0", 7), interfaces.slice(0, 1)), ["127.0.0.1:7"]);
  });
});

describe("names of nodes", () => {
  const named = (...nodes: readonly (readonly [id: string, name: string])[]) =>
    Object.fromEntries(displayNames(nodes.map(([id, name]) => ({ id, name }))));

  test("are shown as they are, and with a beginning of the id where several are alike", () => {
    assert.deepEqual(named(["1234567", "desk"], ["abcdefg", "mini"], ["abcxyzw", "mini"]), {
      "1234567": "desk",
      abcdefg: "mini (abcd)",
      abcxyzw: "mini (abcx)",
    });
    assert.deepEqual(named(["abcdef1", "mini"], ["abcdef2", "mini"]), {
      abcdef1: "mini (abcdef1)",
      abcdef2: "mini (abcdef2)",
    });
    assert.deepEqual(named(["same", "mini"], ["same", "mini"]), { same: "mini" });
  });
});
