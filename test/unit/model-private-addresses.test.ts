import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { ExoError } from "../../src/core/errors.js";
import type { HttpResponse } from "../../src/model/http-response.js";
import { hostKey, hostKeyOf, type ResolveName } from "../../src/model/private-addresses/guarded-connector.js";
import { guardedDownloadIo } from "../../src/model/private-addresses/guarded-io.js";
import { isPublicAddress } from "../../src/model/private-addresses/public-address.js";
import { responseBody } from "../../src/model/response-body.js";

const PRIVATE = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.1",
  "192.168.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:10.0.0.1",
  "::ffff:7f00:1",
  "64:ff9b::10.0.0.1",
  "64:ff9b:1::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "2001:0:53aa:64c::1",
  "fc00::1",
  "fd12:3456::1",
  "fe80::1",
  "fec0::1",
  "ff02::1",
  "localhost",
  "",
];

const PUBLIC = ["1.1.1.1", "172.32.0.1", "192.169.0.1", "::ffff:1.1.1.1", "2606:4700::1111", "64:ff9b::1.1.1.1"];

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** On loopback, so private; answers `name` with how often it was asked so far. */
async function server(listener: RequestListener): Promise<URL> {
  const made = createServer(listener).listen(0, "127.0.0.1");
  servers.push(made);
  await once(made, "listening");
  return new URL(`http://127.0.0.1:${(made.address() as AddressInfo).port}/model.gguf`);
}

const INIT = { method: "GET" as const, headers: {}, signal: new AbortController().signal };

async function textOf(response: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of responseBody(response, INIT.signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function refusal(thrown: unknown): boolean {
  assert.ok(thrown instanceof ExoError, String(thrown));
  assert.equal(thrown.code, "invalid_argument");
  assert.match(thrown.message, /is a private address, or leads to one.*--allow-private-downloads/);
  return true;
}

describe("an address", () => {
  test("is of the Internet, or it is not", () => {
    for (const address of PRIVATE) assert.equal(isPublicAddress(address), false, address);
    for (const address of PUBLIC) assert.equal(isPublicAddress(address), true, address);
  });

  test("says nothing else in the form of IPv6", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        assert.equal(isPublicAddress(`::ffff:${address}`), isPublicAddress(address));
        assert.equal(isPublicAddress(`64:ff9b::${address}`), isPublicAddress(address));
      }),
    );
  });
});

describe("a download that somebody else asked for", () => {
  test("does not reach this machine, however its address is spelt", async () => {
    let asked = 0;
    const url = await server((_request, response) => {
      asked += 1;
      response.end("secret");
    });
    const io = guardedDownloadIo({ allowed: new Set() });
    const spellings = ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "[::ffff:127.0.0.1]", "0"];
    for (const host of spellings) await assert.rejects(io.fetch(`http://${host}:${url.port}/`, INIT), refusal, host);
    await assert.rejects(io.fetch(`http://localhost:${url.port}/`, INIT), refusal);
    await assert.rejects(io.fetch(`https://127.0.0.1:${url.port}/`, INIT), refusal);
    assert.equal(asked, 0);
  });

  test("reaches where the owner said, and no further by a redirect", async () => {
    let asked = 0;
    const inner = await server((_request, response) => {
      asked += 1;
      response.end("secret");
    });
    const mirror = await server((request, response) => {
      if (request.url === "/model.gguf") response.end("model");
      else response.writeHead(302, { location: inner.href }).end();
    });
    const io = guardedDownloadIo({ allowed: new Set([hostKeyOf(mirror)]) });
    assert.equal(await textOf(await io.fetch(mirror.href, INIT)), "model");
    await assert.rejects(io.fetch(new URL("/elsewhere", mirror).href, INIT), refusal);
    assert.equal(asked, 0);
    assert.equal(await textOf(await io.fetch(inner.href, { ...INIT, byOwner: true })), "secret");
  });

  test("goes by what a name means when it connects", async () => {
    let asked = 0;
    const url = await server((_request, response) => {
      asked += 1;
      response.end("secret");
    });
    const meaning =
      (...addresses: readonly string[]): ResolveName =>
      (_name, _options, callback) =>
        callback(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
        );
    for (const addresses of [["127.0.0.1"], ["::1", "10.0.0.1"], ["::ffff:127.0.0.1"], []]) {
      const io = guardedDownloadIo({ allowed: new Set(), resolve: meaning(...addresses) });
      await assert.rejects(io.fetch(`http://models.example:${url.port}/`, INIT), refusal, addresses.join());
    }
    const named = guardedDownloadIo({
      allowed: new Set([hostKey("models.example", "80")]),
      resolve: meaning("127.0.0.1"),
    });
    await assert.rejects(named.fetch(`http://models.example:${url.port}/`, INIT), refusal, "another port");
    assert.equal(asked, 0);
  });
});
