import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ROUTE_SCOPES } from "../../src/api/access/route-scopes.js";
import { changeKeyFile, keyFilePath } from "../../src/config/keys/key-file.js";
import { SCOPES, type Scope } from "../../src/config/keys/scopes.js";
import { newKey } from "../../src/config/keys/stored-key.js";
import { ManualTime } from "../support/manual-time.js";
import { type ApiUnderTest, errorOf, MODEL, QUESTION, withApi } from "./api-under-test.js";
import { observation } from "./observation-under-test.js";
import { saying } from "./scripted-inference.js";

const CHAT = "/v1/chat/completions";
const JSON_TYPE = { "content-type": "application/json" };

const directory = await mkdtemp(join(tmpdir(), "exo-native-api-keys-"));
after(() => rm(directory, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** With headers and paths that `fetch` does not let a test choose. */
function send(
  { api }: ApiUnderTest,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Answer> {
  const { method = "GET", headers = {}, body } = options;
  const port = api.address?.port ?? 0;
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A key for each scope, in a file of its own. */
async function keysFor(name: string): Promise<{ readonly keyFile: string; readonly keys: Record<Scope, string> }> {
  const keyFile = keyFilePath(join(directory, name));
  const keys: Record<Scope, string> = { infer: "", read: "", admin: "" };
  for (const scope of SCOPES) {
    const { secret, stored } = newKey({ name: scope, scopes: [scope], created: 0, expires: null });
    keys[scope] = secret;
    await changeKeyFile(keyFile, (kept) => [...kept, stored]);
  }
  return { keyFile, keys };
}

describe("a key", () => {
  test("is good for the routes of its scope, and for no others", async () => {
    const { keyFile, keys } = await keysFor("scopes");
    await withApi(
      async (under) => {
        for (const [line, scopes] of ROUTE_SCOPES) {
          const [method = "", route = ""] = line.split(" ");
          // Of others' making, and not here yet.
          if (route === "/cluster/drain" || route === "/cluster/events") continue;
          const path = route.replace("*", MODEL).replace(":id", "x").replace(":digest", "x");
          for (const scope of SCOPES) {
            const headers = { ...JSON_TYPE, authorization: `Bearer ${keys[scope]}` };
            const { status, text } = await send(under, path, {
              method,
              headers,
              ...(method === "POST" ? { body: "{}" } : {}),
            });
            const refused = status === 403;
            assert.equal(refused, !scopes.includes(scope), `${line} with a key for ${scope}: ${status} ${text}`);
            assert.notEqual(status, 401, line);
          }
          assert.equal((await send(under, path, { method })).status, 401, `${line} without a key`);
        }
      },
      { keyFile, observation: observation().observation },
    );
  });

  test("may come in the header of each API, and its lack is told in that API's words", async () => {
    const { keyFile, keys } = await keysFor("forms");
    await withApi(
      async (under) => {
        const forms = [
          { authorization: `Bearer ${keys.infer}` },
          { authorization: `bearer ${keys.infer}` },
          { "x-api-key": keys.infer },
          { "x-api-key": keys.infer, authorization: "Bearer none" },
        ];
        for (const headers of forms) {
          assert.equal((await under.post(CHAT, QUESTION, { headers: { ...JSON_TYPE, ...headers } })).status, 200);
        }
        for (const headers of [{ authorization: keys.infer }, { authorization: `Basic ${keys.infer}` }, {}]) {
          assert.equal((await under.post(CHAT, QUESTION, { headers: { ...JSON_TYPE, ...headers } })).status, 401);
        }
        const openai = await errorOf(await under.post(CHAT, QUESTION));
        assert.deepEqual([openai.type, openai.code], ["authentication_error", "unauthorized"]);
        const anthropic = JSON.parse((await send(under, "/v1/messages", { method: "POST" })).text);
        assert.deepEqual([anthropic.type, anthropic.error.type], ["error", "authentication_error"]);
        const ollama = JSON.parse((await send(under, "/api/chat", { method: "POST" })).text);
        assert.match(ollama.error, /asks for an API key/);
        const wrongScope = { ...JSON_TYPE, "x-api-key": keys.read };
        const refused = await send(under, "/v1/messages", { method: "POST", headers: wrongScope });
        assert.equal(JSON.parse(refused.text).error.type, "permission_error");
      },
      { keyFile },
    );
  });

  test("that is made or revoked counts at once", async () => {
    const keyFile = keyFilePath(join(directory, "live"));
    const clock = new ManualTime();
    await withApi(
      async ({ post }) => {
        const ask = async (key: string): Promise<number> => {
          await clock.advance(1000);
          return (await post(CHAT, QUESTION, { headers: { ...JSON_TYPE, "x-api-key": key } })).status;
        };
        assert.equal(await ask("none"), 200);
        const { secret, stored } = newKey({ name: "", scopes: ["infer"], created: 0, expires: null });
        await changeKeyFile(keyFile, () => [stored]);
        assert.deepEqual([await ask("none"), await ask(secret)], [401, 200]);
        await changeKeyFile(keyFile, () => []);
        assert.equal(await ask(secret), 401);
      },
      { keyFile, clock },
    );
  });

  test("to ask models does not take a model from others", async () => {
    const { keyFile, keys } = await keysFor("unload");
    await withApi(
      async (under) => {
        const body = JSON.stringify({ model: MODEL, keep_alive: 0 });
        const ask = (key: string) =>
          send(under, "/api/generate", { method: "POST", headers: { ...JSON_TYPE, "x-api-key": key }, body });
        assert.equal((await ask(keys.infer)).status, 403);
      },
      { keyFile },
    );
  });
});

describe("a page of another origin", () => {
  const evil = { origin: "https://evil.example" };

  test("can have nothing done, whatever the browser lets it send without asking", async () => {
    await withApi(async (under) => {
      const body = JSON.stringify(QUESTION);
      const tries: readonly (readonly [string, Record<string, string>])[] = [
        [CHAT, { ...evil, "content-type": "text/plain" }],
        [CHAT, { ...evil, ...JSON_TYPE }],
        ["/api/chat", { ...evil, "content-type": "text/plain" }],
        ["/api/chat", { "sec-fetch-site": "cross-site", "content-type": "application/x-www-form-urlencoded" }],
        ["/cluster/rings", { origin: "null", "content-type": "text/plain" }],
        ["/api/pull", { origin: "http://localhost:3000", "sec-fetch-site": "same-site", "content-type": "text/plain" }],
      ];
      for (const [path, headers] of tries) {
        const { status, text } = await send(under, path, { method: "POST", headers, body });
        assert.equal(status, 403, path);
        assert.match(text, /may not use this node/);
      }
      assert.equal((await send(under, "/", { headers: evil })).status, 403);
      assert.equal(under.inference.requests.length, 0);
    });
  });

  test("that was named may ask and read, also in a stream, without the browser's log-ins", async () => {
    const origin = "https://chat.example";
    await withApi(
      async (under) => {
        const question = {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type,x-stainless-os",
        };
        const preflight = await send(under, CHAT, { method: "OPTIONS", headers: question });
        assert.equal(preflight.status, 204);
        assert.equal(preflight.headers["access-control-allow-origin"], origin);
        assert.equal(preflight.headers["access-control-allow-headers"], question["access-control-request-headers"]);
        assert.equal(preflight.headers["access-control-allow-credentials"], undefined);
        for (const stream of [false, true]) {
          const headers = { ...JSON_TYPE, origin };
          const answer = await under.post(CHAT, { ...QUESTION, stream }, { headers });
          assert.equal(answer.status, 200);
          assert.equal(answer.headers.get("access-control-allow-origin"), origin);
          assert.equal(answer.headers.get("vary"), "Origin");
          await answer.text();
        }
        const refused = await send(under, CHAT, { method: "OPTIONS", headers: { ...question, ...evil } });
        assert.equal(refused.status, 403);
        assert.equal(refused.headers["access-control-allow-origin"], undefined);
        const wrong = await under.post(CHAT, {}, { headers: { ...JSON_TYPE, origin } });
        assert.equal(wrong.headers.get("access-control-allow-origin"), origin, "it may read why, too");
      },
      { corsOrigins: [origin] },
    );
  });

  test("finds no answer that it could show, or take for a script", async () => {
    await withApi(async (under) => {
      for (const path of ["/", "/cluster", "/nowhere", "/v1/models"]) {
        const { headers } = await send(under, path);
        assert.match(String(headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/, path);
        assert.equal(headers["x-frame-options"], "DENY");
        assert.equal(headers["x-content-type-options"], "nosniff");
        assert.equal(headers["cross-origin-resource-policy"], "same-origin");
      }
    });
  });
});

describe("a request line with a whole address", () => {
  test("counts as the header Host does", async () => {
    await withApi(async (under) => {
      assert.equal((await send(under, "http://localhost/healthz")).status, 200);
      const foreign = await send(under, "http://evil.example/healthz", { headers: { host: "localhost" } });
      assert.equal(foreign.status, 421);
    });
  });
});

describe("a client that asks for too much", () => {
  test("is told when to come again, and others are not in its way", async () => {
    const clock = new ManualTime();
    await withApi(
      async ({ post, url }) => {
        const ask = (key: string) => post(CHAT, QUESTION, { headers: { ...JSON_TYPE, "x-api-key": key } });
        assert.deepEqual([(await ask("client-one")).status, (await ask("client-one")).status], [200, 200]);
        const refused = await ask("client-one");
        assert.equal(refused.status, 429);
        assert.equal(refused.headers.get("retry-after"), "30");
        assert.equal(refused.headers.get("x-should-retry"), "true");
        const error = await errorOf(refused);
        assert.deepEqual([error.code, error.type], ["rate_limited", "rate_limit_error"]);
        assert.equal((await ask("client-two")).status, 200);
        assert.equal((await fetch(`${url}/healthz`)).status, 200, "health is not counted");
        await clock.advance(30_000);
        assert.equal((await ask("client-one")).status, 200);
      },
      { rateLimit: 2, apiKeys: ["client-one", "client-two"], clock },
    );
  });

  test("at once has so many answers at once, and the next when one has ended", async () => {
    let end = (): void => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    await withApi(
      async ({ post, inference }) => {
        inference.script = async function* () {
          await held;
          yield* saying(["x"]);
        };
        const first = post(CHAT, QUESTION);
        while (inference.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
        const second = await post(CHAT, QUESTION);
        assert.equal(second.status, 429);
        assert.match((await errorOf(second)).message, /1 requests of yours are under way/);
        end();
        assert.equal((await first).status, 200);
        await (await first).text();
        const next = async (): Promise<number> => (await post(CHAT, QUESTION)).status;
        let status = await next();
        // The server hears of the end of its own answer in its own time.
        while (status === 429) status = await next();
        assert.equal(status, 200);
      },
      { clientRequests: 1 },
    );
  });

  test("in bodies, with or without a length, is refused, and what they took comes back", async () => {
    let end = (): void => {};
    const held = new Promise<void>((resolve) => {
      end = resolve;
    });
    const long = JSON.stringify({ messages: [{ role: "user", content: "x".repeat(40_000) }] });
    await withApi(
      async (under) => {
        under.inference.script = async function* () {
          if (under.inference.requests.length === 1) await held;
          yield* saying(["x"]);
        };
        const first = under.post(CHAT, long);
        while (under.inference.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
        const announced = await under.post(CHAT, long);
        assert.equal(announced.status, 429);
        assert.equal((await errorOf(announced)).code, "overloaded");
        assert.ok(announced.headers.get("retry-after"));
        const headers = { ...JSON_TYPE, "transfer-encoding": "chunked" };
        const chunked = await send(under, CHAT, { method: "POST", headers, body: long });
        assert.equal(chunked.status, 429, chunked.text);
        assert.equal((await under.post(CHAT, QUESTION)).status, 200, "small ones find room");
        end();
        await (await first).text();
        let status = (await under.post(CHAT, long)).status;
        while (status === 429) status = (await under.post(CHAT, long)).status;
        assert.equal(status, 200);
      },
      { bodyBudgetBytes: 60_000 },
    );
  });

  test("in headers is told so", async () => {
    await withApi(async (under) => {
      const { status, text } = await send(under, "/healthz", { headers: { "x-long": "x".repeat(20_000) } });
      assert.equal(status, 431);
      assert.equal(JSON.parse(text).error.code, "headers_too_large");
      assert.equal((await send(under, `/healthz?${"x".repeat(20_000)}`)).status, 431);
    });
  });

  test("in connections has those beyond the limit closed", async () => {
    await withApi(
      async ({ api }) => {
        const port = api.address?.port ?? 0;
        const sockets = Array.from({ length: 4 }, () => connect(port, "127.0.0.1"));
        const ends = sockets.map(
          (socket) =>
            new Promise<"answered" | "closed">((resolve) => {
              socket.on("error", () => resolve("closed"));
              socket.on("close", () => resolve("closed"));
              socket.on("data", () => resolve("answered"));
              socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
            }),
        );
        const ended = await Promise.all(ends);
        for (const socket of sockets) socket.destroy();
        assert.deepEqual(ended.toSorted(), ["answered", "answered", "closed", "closed"]);
      },
      { maxConnections: 2 },
    );
  });
});

describe("docs/api.md", () => {
  test("says of each route which scope it takes", () => {
    const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
    const section = page.split(/^## /m).find((part) => part.startsWith("Keys")) ?? "";
    const documented = section.split("\n").flatMap((line) => {
      const [, scopes, routes] = /^\| `([a-z, `or]+)` +\| (.*) \|$/.exec(line) ?? [];
      const named = scopes?.replaceAll("`", "").split(" or ") ?? [];
      return [...(routes ?? "").matchAll(/`([A-Z]+ [^`]+)`/g)].map(([, route]) => `${route}: ${named.join()}`);
    });
    const real = [...ROUTE_SCOPES].map(
      ([line, scopes]) => `${line.replace(/:(\w+)/, "{$1}").replace(/\*$/, "{id}")}: ${scopes.join()}`,
    );
    assert.deepEqual(documented.toSorted(), real.toSorted());
  });
});
