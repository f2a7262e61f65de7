import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { clientAddress } from "../../src/api/access/client-address.js";
import { KeyCheck } from "../../src/api/access/key-check.js";
import { KeyRing } from "../../src/api/access/key-ring.js";
import { OriginCheck } from "../../src/api/access/origin-check.js";
import { TokenBuckets } from "../../src/api/access/token-buckets.js";
import { createHostCheck, type HostCheckOptions } from "../../src/api/host-check.js";
import { HttpError } from "../../src/api/http-error.js";
import { changeKeyFile, keyFilePath } from "../../src/config/keys/key-file.js";
import { newKey } from "../../src/config/keys/stored-key.js";
import { silentLogger } from "../../src/core/ports.js";
import { ManualTime } from "../support/manual-time.js";

const directory = await mkdtemp(join(tmpdir(), "exo-native-access-"));
after(() => rm(directory, { recursive: true, force: true }));

function answersTo(options: Partial<HostCheckOptions>): (host: string | undefined, url?: string) => boolean {
  const check = createHostCheck({
    boundHost: "127.0.0.1",
    allowed: [],
    machineName: "Desk.Example",
    withKeys: () => false,
    ...options,
  });
  return (host, url = "/") => {
    try {
      check(host, url);
      return true;
    } catch (thrown) {
      assert.ok(thrown instanceof HttpError && thrown.code === "host_not_allowed");
      return false;
    }
  };
}

const FOREIGN = [
  "evil.example",
  "evil.example:52415",
  "127.0.0.1.evil.example",
  "localhost.evil.example",
  "localhost@evil.example",
  "evil.example@localhost",
  "localhost, evil.example",
  "localhost/evil",
  "localhost:80:80",
  "localhost:123456",
  "local\u0000host.example",
  "[::1].evil.example",
  "[evil.example]",
  "evil\\.local.example",
  "xn--localhost-.example",
  "1.1.1.1.example",
];

describe("the host of a request", () => {
  test("on loopback is loopback, in all of its spellings", () => {
    const answers = answersTo({});
    for (const host of ["localhost", "LOCALHOST:1", "localhost.", "app.localhost", "127.0.0.1:52415", "127.9.9.9"]) {
      assert.ok(answers(host), host);
    }
    for (const host of ["[::1]", "[::1]:52415", "[0:0:0:0:0:0:0:1]"]) assert.ok(answers(host), host);
    for (const host of [...FOREIGN, "", "0.0.0.0", "10.0.0.1", "desk.local", "[::]", "[fe80::1]", "2130706433"]) {
      assert.ok(!answers(host), host);
    }
    assert.ok(!answers(undefined));
  });

  test("on all interfaces is an address or a name that nobody else can own", () => {
    const answers = answersTo({ boundHost: "0.0.0.0" });
    for (const host of ["192.168.1.5:52415", "[fe80::1%eth0]", "[2001:db8::1]:1", "desk", "exo-native:52415"]) {
      assert.ok(answers(host), host);
    }
    for (const host of [
      "desk.local",
      "desk.example",
      "desk.example.",
      "node.tail1.ts.net",
      "exo.default.svc.cluster.local",
    ]) {
      assert.ok(answers(host), host);
    }
    for (const host of [...FOREIGN, ""]) assert.ok(!answers(host), host);
  });

  test("may be a name that the owner gave, and any where a key is asked for", () => {
    const named = answersTo({ allowed: ["models.example.org"] });
    assert.ok(named("Models.Example.org:443"));
    assert.ok(!named("sub.models.example.org"));
    const keyed = answersTo({ boundHost: "0.0.0.0", withKeys: () => true });
    assert.ok(keyed("evil.example"));
    assert.ok(!answersTo({ withKeys: () => true })("evil.example"), "loopback stays loopback");
  });

  test("is also what a request line with a whole address says", () => {
    const answers = answersTo({});
    assert.ok(answers("localhost", "http://127.0.0.1:52415/cluster"));
    assert.ok(!answers("localhost", "http://evil.example/cluster"));
    assert.ok(!answers("localhost", "http://localhost@evil.example/cluster"));
    assert.ok(!answers("evil.example", "http://localhost/cluster"));
  });

  test("is never a name that ends in somebody's domain, whatever comes before it", () => {
    const narrow = answersTo({});
    const wide = answersTo({ boundHost: "::" });
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (before) => {
        for (const answers of [narrow, wide]) assert.ok(!answers(`${before}.evil.example`));
      }),
    );
  });
});

describe("where a request comes from", () => {
  const ask = (headers: Record<string, string>, method = "POST", allowed: readonly string[] = []): boolean => {
    try {
      new OriginCheck(allowed).check({ method, headers: { host: "127.0.0.1:52415", ...headers } });
      return true;
    } catch (thrown) {
      assert.ok(thrown instanceof HttpError && thrown.code === "origin_not_allowed");
      return false;
    }
  };

  test("is not asked of programs, nor of the node's own page", () => {
    assert.ok(ask({}));
    assert.ok(ask({ origin: "http://127.0.0.1:52415" }));
    assert.ok(ask({ origin: "https://127.0.0.1:52415" }), "behind a proxy that ends TLS");
    assert.ok(ask({ "sec-fetch-site": "same-origin" }));
    assert.ok(ask({ "sec-fetch-site": "none" }, "GET"));
  });

  test("may be no other page, whatever it asks for", () => {
    for (const origin of ["https://evil.example", "null", "", "http://127.0.0.1:3000", "http://127.0.0.1", "file://"]) {
      for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) assert.ok(!ask({ origin }, method), origin);
    }
    for (const site of ["cross-site", "same-site"]) {
      assert.ok(!ask({ "sec-fetch-site": site, "sec-fetch-mode": "no-cors" }, "GET"), "a picture");
      assert.ok(!ask({ "sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }), "a form");
      assert.ok(!ask({ "sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }, "GET"));
      assert.ok(ask({ "sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, "GET"));
    }
  });

  test("may be a page that the owner named", () => {
    const allowed = ["https://chat.example"];
    assert.ok(ask({ origin: "https://chat.example", "sec-fetch-site": "cross-site" }, "POST", allowed));
    for (const origin of ["https://chat.example.evil", "http://chat.example", "https://chat.example:444", "null"]) {
      assert.ok(!ask({ origin }, "POST", allowed), origin);
    }
    assert.ok(ask({ origin: "https://evil.example" }, "POST", ["*"]));
  });
});

describe("a client without a key", () => {
  test("is an address, or a network of IPv6", () => {
    assert.equal(clientAddress("192.168.1.5"), "192.168.1.5");
    assert.equal(clientAddress("::ffff:192.168.1.5"), "192.168.1.5");
    assert.equal(clientAddress("2001:db8:1:2::1"), clientAddress("2001:db8:1:2:ffff::9"));
    assert.notEqual(clientAddress("2001:db8:1:2::1"), clientAddress("2001:db8:1:3::1"));
    assert.equal(clientAddress("fe80::1%eth0"), clientAddress("fe80::2"));
    assert.equal(clientAddress(undefined), "");
  });
});

describe("what may be used in a minute", () => {
  test("comes back with time, is no more than was there, and is each client's own", async () => {
    const clock = new ManualTime();
    const buckets = new TokenBuckets({ size: 3, perMinute: 6, clock });
    assert.deepEqual(
      [1, 2, 3].map(() => buckets.take("a")),
      [0, 0, 0],
    );
    assert.equal(buckets.take("a"), 10_000);
    assert.equal(buckets.take("b"), 0);
    await clock.advance(9_000);
    assert.equal(buckets.take("a"), 1000);
    await clock.advance(1_000);
    assert.equal(buckets.take("a"), 0);
    await clock.advance(3_600_000);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => buckets.take("a") > 0),
      [false, false, false, true],
    );
  });
});

describe("the keys of a node", () => {
  const open = async (name: string, plain: readonly string[] = []) => {
    const clock = new ManualTime();
    const file = keyFilePath(join(directory, name));
    const ring = new KeyRing({ plain, file, clock, logger: silentLogger });
    await ring.open();
    return { clock, file, ring };
  };
  const key = (expires: number | null = null) => newKey({ name: "k", scopes: ["read"], created: 0, expires });

  test("are taken up, and are good for nothing any more, while it runs", async () => {
    const { clock, file, ring } = await open("live");
    assert.equal(ring.required, false);
    const { secret, stored } = key();
    await changeKeyFile(file, () => [stored]);
    await clock.advance(1000);
    await ring.refresh();
    assert.equal(ring.required, true);
    assert.deepEqual(ring.find(secret, true)?.scopes, ["read"]);
    assert.equal(ring.find(`${secret}x`, true), null);
    await changeKeyFile(file, () => []);
    await clock.advance(1000);
    await ring.refresh();
    assert.equal(ring.find(secret, true), null);
    assert.equal(ring.required, true, "without any key left nobody gets in");
    await rm(file);
    await clock.advance(1000);
    await ring.refresh();
    assert.equal(ring.required, true, "taking the file away opens nothing");
  });

  test("expire", async () => {
    const { clock, file, ring } = await open("expiring");
    const { secret, stored } = key(5000);
    await changeKeyFile(file, () => [stored]);
    await clock.advance(4000);
    await ring.refresh();
    assert.ok(ring.find(secret, true));
    await clock.advance(1000);
    assert.equal(ring.find(secret, true), null);
  });

  test("stay as they were when the file is damaged; a node does not start with such a file", async () => {
    const { clock, file, ring } = await open("damaged");
    const { secret, stored } = key();
    await changeKeyFile(file, () => [stored]);
    await clock.advance(1000);
    await ring.refresh();
    await writeFile(file, "{");
    await clock.advance(1000);
    await ring.refresh();
    assert.ok(ring.find(secret, true));
    await assert.rejects(open("damaged"), { code: "invalid_argument" });
  });

  test("of the settings cannot be guessed on; those of the file still let in who has one", async () => {
    const { clock, file, ring } = await open("guessed", ["correct-horse"]);
    const { secret, stored } = key();
    await changeKeyFile(file, () => [stored]);
    const check = new KeyCheck(ring, clock);
    const ask = async (given: string, address = "10.0.0.1"): Promise<string> =>
      check.callerOf({ authorization: `Bearer ${given}` }, address).then(
        () => "let in",
        (thrown: unknown) => String(Reflect.get(Object(thrown), "code")),
      );
    assert.equal(await ask("correct-horse"), "let in");
    for (let guess = 0; guess < 10; guess += 1) assert.equal(await ask(`guess-${guess}`), "unauthorized");
    assert.equal(await ask("guess-11"), "rate_limited");
    assert.equal(await ask("correct-horse"), "rate_limited", "a right guess is not told from a wrong one");
    assert.equal(await ask("correct-horse", "10.0.0.2"), "let in");
    await clock.advance(1000);
    assert.equal(await ask(secret), "let in");
    await clock.advance(60_000);
    assert.equal(await ask("correct-horse"), "let in");
  });

  test("tell clients apart by names that mean nothing elsewhere", async () => {
    const { clock, ring } = await open("names", ["correct-horse", "battery-staple"]);
    const check = new KeyCheck(ring, clock);
    const of = async (given: string) => (await check.callerOf({ "x-api-key": given }, "10.0.0.1")).client;
    assert.equal(await of("correct-horse"), await of("correct-horse"));
    assert.notEqual(await of("correct-horse"), await of("battery-staple"));
    assert.notEqual(
      await of("correct-horse"),
      (await new KeyCheck(ring, clock).callerOf({ "x-api-key": "correct-horse" }, "10.0.0.1")).client,
    );
  });
});
