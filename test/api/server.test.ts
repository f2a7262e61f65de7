import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { chatSchema } from "../../src/api/schema/chat.js";
import { completionSchema } from "../../src/api/schema/completion.js";
import { createApi } from "../../src/api/server.js";
import { ExoError } from "../../src/core/errors.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import {
  type ApiUnderTest,
  errorOf,
  MODEL,
  NO_LIBRARY,
  NO_PLANNER,
  QUESTION,
  RING,
  SNAPSHOT,
  withApi,
} from "./api-under-test.js";
import { observation } from "./observation-under-test.js";

const CHAT = "/v1/chat/completions";

/** `fetch` does not let a test choose the `Host` header. */
function statusWithHost(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end();
  });
}

describe("the server", () => {
  test("refuses foreign host names on loopback, against DNS rebinding", async () => {
    await withApi(async ({ api, url }) => {
      const port = api.address?.port ?? 0;
      for (const host of [`localhost:${port}`, "LOCALHOST", `127.0.0.1:${port}`, "[::1]:80"]) {
        assert.equal(await statusWithHost(`${url}/healthz`, host), 200, host);
      }
      for (const host of [
        "evil.example",
        `evil.example:${port}`,
        "127.0.0.1.evil.example",
        "localhost.evil",
        "10.0.0.1",
      ]) {
        assert.equal(await statusWithHost(`${url}/healthz`, host), 421, host);
        assert.equal(await statusWithHost(`${url}/`, host), 421, host);
      }
    });
  });

  test("answers to any host name when it listens on all interfaces", async () => {
    await withApi(
      async ({ url }) => {
        assert.equal(await statusWithHost(`${url}/healthz`, "desk.local:80"), 200);
      },
      { host: "0.0.0.0" },
    );
  });

  test("asks for a key where it has one, but not for health and the page", async () => {
    await withApi(
      async ({ url, post }) => {
        const refused = await post(CHAT, QUESTION);
        assert.equal(refused.status, 401);
        assert.equal(refused.headers.get("www-authenticate"), "Bearer");
        assert.deepEqual((await errorOf(refused)).code, "unauthorized");
        const json = { "content-type": "application/json" };
        const wrong = await post(CHAT, QUESTION, { headers: { ...json, authorization: "Bearer wrong" } });
        assert.equal(wrong.status, 401);
        for (const headers of [{ authorization: "Bearer k2" }, { "x-api-key": "k1" }]) {
          assert.equal((await post(CHAT, QUESTION, { headers: { ...json, ...headers } })).status, 200);
        }
        for (const path of ["/healthz", "/readyz", "/"]) assert.equal((await fetch(url + path)).status, 200, path);
        for (const path of ["/v1/models", "/cluster"]) assert.equal((await fetch(url + path)).status, 401, path);
      },
      { apiKeys: ["k1", "k2"] },
    );
  });

  test("never invites other origins", async () => {
    await withApi(async ({ url, post }) => {
      const foreign = await fetch(`${url}/cluster`, { headers: { origin: "https://evil.example" } });
      assert.equal(foreign.status, 403);
      const answers = [foreign, await post(CHAT, QUESTION)];
      for (const answer of answers) {
        assert.equal(answer.headers.get("access-control-allow-origin"), null);
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
        assert.match(answer.headers.get("x-request-id") ?? "", /^\w{8}$/);
      }
      assert.equal((await fetch(url + CHAT, { method: "OPTIONS" })).status, 405);
    });
  });

  test("names the port and the flag when the port is taken", async () => {
    await withApi(async ({ api, inference }) => {
      const port = api.address?.port ?? 0;
      const second = createApi({
        inference,
        models: { list: () => [] },
        planner: NO_PLANNER,
        cluster: { snapshot: () => SNAPSHOT, readiness: () => ({ ready: true, reason: null }) },
        rings: { load: async () => RING, whenReady: async () => RING, unload: async () => RING },
        nodes: { drain: async (node, draining) => ({ node: { id: node, name: node }, draining, rings: [] }) },
        library: NO_LIBRARY,
        logger: silentLogger,
        host: "127.0.0.1",
        port,
        systemFingerprint: "x",
      });
      await assert.rejects(second.start(), (thrown) => {
        assert.ok(thrown instanceof ExoError);
        assert.equal(thrown.code, "port_in_use");
        assert.match(thrown.message, new RegExp(`127\\.0\\.0\\.1:${port}.*--http`));
        return true;
      });
      await second.stop();
    });
  });

  test("starts again after a stop, and stops twice", async () => {
    await withApi(async ({ api, url }) => {
      await api.stop();
      await assert.rejects(fetch(`${url}/healthz`));
      await api.stop();
      await api.start();
      assert.equal((await fetch(`${api.address?.url}/healthz`)).status, 200);
    });
  });

  test("says why it is not ready", async () => {
    const reason = "tiny is loading, 40 % done.";
    await withApi(
      async ({ url, post }) => {
        const ready = await fetch(`${url}/readyz`);
        assert.equal(ready.status, 503);
        assert.equal((await errorOf(ready)).message, reason);
        assert.equal((await fetch(`${url}/healthz`)).status, 200);
        const chat = await post(CHAT, QUESTION);
        assert.equal(chat.status, 503);
        assert.ok(chat.headers.get("retry-after"));
        assert.equal((await errorOf(chat)).code, "not_ready");
      },
      {
        models: { list: () => [] },
        cluster: { snapshot: () => SNAPSHOT, readiness: () => ({ ready: false, reason }) },
      },
    );
  });

  test("takes a body that breaks off for the client's doing", async () => {
    const faults: string[] = [];
    const ignore = (): void => {};
    let told = ignore;
    const refused = new Promise<void>((resolve) => {
      told = resolve;
    });
    const logger: Logger = {
      debug: ignore,
      info: (_fields, message) => message === "request refused" && told(),
      warn: (_fields, message) => faults.push(message),
      error: (_fields, message) => faults.push(message),
      child: () => logger,
    };
    await withApi(
      async ({ api }) => {
        const socket = connect(api.address?.port ?? 0, "127.0.0.1");
        const head = `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99`;
        socket.write(`${head}\r\n\r\n{"mess`, () => socket.destroy());
        await refused;
      },
      { logger },
    );
    assert.deepEqual(faults, []);
  });

  test("never logs what was said", async () => {
    const lines: string[] = [];
    const keep = (fields: object, message: string): void => {
      lines.push(`${JSON.stringify(fields)} ${message}`);
    };
    const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => logger };
    await withApi(
      async ({ post, inference }) => {
        const secret = { messages: [{ role: "user", content: "hunter2" }] };
        await (await post(CHAT, secret)).text();
        await (await post(CHAT, { ...secret, stream: true })).text();
        await (await post(CHAT, { ...secret, temperature: "hunter2" })).text();
        await (await post(CHAT, '{"messages": hunter2}')).text();
        inference.script = () => {
          throw new ExoError("invalid_argument", "The template does not like hunter2.");
        };
        await (await post(CHAT, secret)).text();
      },
      { logger },
    );
    assert.ok(lines.some((line) => line.includes("request answered") && line.includes('"status":200')));
    assert.deepEqual(
      lines.filter((line) => line.includes("hunter2")),
      [],
    );
  });
});

describe("what a request asks for reaches the inference service", () => {
  test("with every sampling field under its own name", async () => {
    await withApi(async ({ post, inference }) => {
      await post(CHAT, {
        ...QUESTION,
        model: "other-model",
        temperature: 0,
        top_p: 0.9,
        top_k: -1,
        min_p: 0.1,
        frequency_penalty: 0.5,
        presence_penalty: -0.5,
        repetition_penalty: 1.1,
        repeat_last_n: 32,
        seed: 2 ** 32 + 5,
        stop: ["", "END"],
        max_tokens: 5,
        max_completion_tokens: 9,
        logit_bias: { "13": -100 },
        response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } },
        ignore_eos: true,
        timeout: 1.5,
        reasoning_effort: "none",
        mirostat: 0,
      });
      const { id, input, origin: _, client: __, ...asked } = inference.requests[0] ?? {};
      assert.match(id ?? "", /^chatcmpl-/);
      assert.deepEqual(input, { kind: "chat", messages: QUESTION.messages, enableThinking: false });
      assert.deepEqual(asked, {
        model: "other-model",
        sampling: {
          temperature: 0,
          topP: 0.9,
          topK: 0,
          minP: 0.1,
          frequencyPenalty: 0.5,
          presencePenalty: -0.5,
          repeatPenalty: 1.1,
          repeatLastN: 32,
          seed: 5,
          logitBias: { "13": -100 },
          jsonSchema: '{"type":"object"}',
        },
        maxTokens: 9,
        stop: ["END"],
        logprobs: 0,
        ignoreEos: true,
        timeoutSeconds: 1.5,
      });
    });
  });

  test("with tools, a chosen one standing alone", async () => {
    await withApi(async ({ post, inference }) => {
      const tools = ["a", "b"].map((name) => ({
        type: "function",
        function: { name, parameters: { type: "object" }, strict: true },
      }));
      await post(CHAT, { ...QUESTION, tools, parallel_tool_calls: false });
      await post(CHAT, { ...QUESTION, tools, tool_choice: { type: "function", function: { name: "b" } } });
      const [auto, chosen] = inference.requests.map((request) => request.input);
      assert.deepEqual(auto, {
        kind: "chat",
        messages: QUESTION.messages,
        tools,
        toolChoice: "auto",
        parallelToolCalls: false,
      });
      assert.deepEqual(chosen, {
        kind: "chat",
        messages: QUESTION.messages,
        tools: [tools[1]],
        toolChoice: "required",
      });
    });
  });

  test("with messages as they came, also fields that only a template knows", async () => {
    await withApi(async ({ post, inference }) => {
      const messages = [
        { role: "developer", content: [{ type: "text", text: "Be kind.", cache_control: {} }] },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c", content: "4" },
        { role: "assistant", content: "", reasoning_content: "hm", flavour: 7 },
      ];
      await post(CHAT, { messages });
      assert.deepEqual(inference.requests[0]?.input, { kind: "chat", messages });
    });
  });
});

describe("the routes of llama-server", () => {
  test("tokenize, detokenize and render a template", async () => {
    await withApi(async ({ post, inference }) => {
      const tokens = await (await post("/tokenize", { content: "abc" })).json();
      assert.deepEqual(tokens, { tokens: [97, 98, 99] });
      assert.deepEqual(inference.tokenizations[0], {
        model: MODEL,
        text: "abc",
        addSpecial: false,
        parseSpecial: true,
      });
      const pieces = await (await post("/tokenize", { content: "aba", with_pieces: true, add_special: true })).json();
      assert.deepEqual(pieces, {
        tokens: [
          { id: 97, piece: "a" },
          { id: 98, piece: "b" },
          { id: 97, piece: "a" },
        ],
      });
      assert.deepEqual(await (await post("/detokenize", { tokens: [72, 105] })).json(), { content: "Hi" });
      const rendered = await (await post("/apply-template", { messages: [{ role: "user", content: "Hi" }] })).json();
      assert.deepEqual(rendered, { prompt: "<user>Hi" });
    });
  });

  test("end what they wait for when the client hangs up", async () => {
    await withApi(async ({ post, inference }) => {
      const bodies = {
        "/tokenize": { content: "abc" },
        "/detokenize": { tokens: [72] },
        "/apply-template": { messages: [{ role: "user", content: "Hi" }] },
        "/v1/messages/count_tokens": { messages: [{ role: "user", content: "Hi" }] },
        "/v1/responses/input_tokens": { input: "Hi" },
        "/api/generate": { model: MODEL },
      };
      for (const [path, body] of Object.entries(bodies)) {
        const client = new AbortController();
        const ended = new Promise<void>((resolve) => {
          const wait = (signal: AbortSignal): Promise<never> =>
            new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                resolve();
                reject(signal.reason);
              });
              client.abort();
            });
          inference.tokenize = (_, signal) => wait(signal);
          inference.detokenize = (_, __, signal) => wait(signal);
          inference.applyTemplate = (_, __, signal) => wait(signal);
        });
        await assert.rejects(post(path, body, { signal: client.signal }), path);
        await ended;
      }
    });
  });

  test("tell health and the cluster", async () => {
    await withApi(async ({ url }) => {
      assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { status: "ok" });
      assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { status: "ok" });
      assert.deepEqual(await (await fetch(`${url}/cluster`)).json(), JSON.parse(JSON.stringify(SNAPSHOT)));
      const models = Object(await (await fetch(`${url}/v1/models`)).json());
      assert.deepEqual([models.object, models.data[0].id, models.data[0].meta.n_ctx], ["list", MODEL, 4096]);
    });
  });
});

/** What stands for `{id}` in a path, by the word before it. */
const IDS: Readonly<Record<string, string>> = { rings: RING.id, traces: "known" };

describe("docs/api.md", () => {
  const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");

  test("lists routes that are there", async () => {
    const { observation: seen } = observation();
    seen.traces.begin({ requestId: "known", traceId: "a".repeat(32), parentId: "b".repeat(16), traced: true });
    const show = async ({ url }: ApiUnderTest): Promise<void> => {
      const rows = page.split("\n").filter((line) => /^\| .*`(GET|POST|DELETE) \//.test(line));
      let method = "GET";
      const routes = rows.flatMap((row) =>
        [...(row.split("|")[1] ?? "").matchAll(/(GET |POST |DELETE )?(\/[\w/{}-]*)/g)].map(([, named, path]) => {
          method = named?.trim() ?? method;
          return [
            method,
            (path ?? "").replaceAll(/(\w+)\/\{id\}/g, (_, kind) => `${kind}/${IDS[kind] ?? MODEL}`),
          ] as const;
        }),
      );
      assert.ok(routes.length >= 11);
      for (const [name, path] of routes) {
        const { status } = await fetch(url + path, { method: name });
        assert.ok(status === 200 || status === 400, `${name} ${path} answers ${status}`);
      }
    };
    await withApi(show, { observation: seen });
  });

  test("names every field that is understood", () => {
    for (const field of [...Object.keys(chatSchema.shape), ...Object.keys(completionSchema.shape)]) {
      assert.match(page, new RegExp(`\\b${field}\\b`), field);
    }
  });
});

describe("the page", () => {
  test("is served with its modules under a strict policy", async () => {
    await withApi(async ({ url }) => {
      for (const [path, type] of [
        ["/", "text/html"],
        ["/styles/theme.css", "text/css"],
        ["/favicon.svg", "image/svg+xml"],
        ["/modules/main.js", "application/javascript"],
        ["/modules/vendor/preact.js", "text/javascript"],
      ] as const) {
        const answer = await fetch(url + path);
        assert.equal(answer.status, 200, path);
        assert.match(
          answer.headers.get("content-type") ?? "",
          new RegExp(`^(${type.replace("+", "\\+")}|text/javascript)`),
          path,
        );
        const policy = answer.headers.get("content-security-policy") ?? "";
        assert.match(policy, /default-src 'none'/);
        assert.doesNotMatch(policy, /unsafe|\*/);
      }
      assert.equal((await fetch(`${url}/modules/main.js.map`)).status, 404);
      assert.equal((await fetch(`${url}/modules/vendor/fastify.js`)).status, 404);
      const page = await fetch(url);
      const map = /<script type="importmap">([\s\S]*?)<\/script>/.exec(await page.text())?.[1] ?? "";
      const hash = createHash("sha256").update(map).digest("base64");
      assert.ok(page.headers.get("content-security-policy")?.includes(`script-src 'self' 'sha256-${hash}';`));
    });
  });
});
