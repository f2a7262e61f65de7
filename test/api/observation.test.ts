import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { type ApiUnderTest, errorOf, MODEL, QUESTION, SNAPSHOT, withApi } from "./api-under-test.js";
import { observation } from "./observation-under-test.js";
import { endless } from "./scripted-inference.js";

const CHAT = "/v1/chat/completions";
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

/** Requests are counted when their response is closed, a moment after the client has read it. */
async function ended({ api }: ApiUnderTest): Promise<void> {
  await api.stop();
}

describe("GET /metrics", () => {
  test("is text for Prometheus, and asks for the key as other routes do", async () => {
    const { observation: open } = observation();
    await withApi(
      async ({ url }) => {
        const refused = await fetch(`${url}/metrics`);
        assert.equal(refused.status, 401);
        const response = await fetch(`${url}/metrics`, { headers: { authorization: "Bearer secret-key" } });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert.equal(await response.text(), "a_metric 1\n");
        for (const path of ["/cluster/traces", "/cluster/traces/x", "/cluster/events"]) {
          assert.equal((await fetch(url + path)).status, 401, path);
        }
      },
      { observation: open, apiKeys: ["secret-key"] },
    );
  });
});

describe("requests", () => {
  test("are counted by method, route, status and the model that was asked", async () => {
    const { observation: open, counts } = observation();
    await withApi(
      async (under) => {
        await (await under.post(CHAT, QUESTION)).text();
        await (await under.post(CHAT, { ...QUESTION, model: "nobody's" })).text();
        await (await under.post(CHAT, { messages: 1 })).text();
        await (await fetch(`${under.url}/no/such/path`)).text();
        await ended(under);
      },
      { observation: open },
    );
    assert.deepEqual([...counts.requests].map(({ labels, value }) => [...labels, value]).sort(), [
      ["GET", "unmatched", "404", "", 1],
      ["POST", CHAT, "200", "", 1],
      ["POST", CHAT, "200", MODEL, 1],
      ["POST", CHAT, "400", "", 1],
    ]);
    assert.deepEqual([...counts.errors].map(({ labels }) => labels).sort(), [
      [CHAT, "invalid_argument"],
      ["unmatched", "route_not_found"],
    ]);
    assert.equal(counts.inFlight, 0);
    assert.equal([...counts.seconds()].find(({ labels }) => labels[0] === CHAT)?.distribution.count, 3);
  });

  test("whose client hangs up are counted as 499", async () => {
    const { observation: open, counts } = observation();
    await withApi(
      async (under) => {
        const { inference, post } = under;
        inference.script = (_, signal) => endless(() => new Promise((resolve) => setTimeout(resolve, 1)), signal);
        const client = new AbortController();
        const response = await post(CHAT, { ...QUESTION, stream: true }, { signal: client.signal });
        await response.body?.getReader().read();
        client.abort();
        await new Promise<void>((resolve) => inference.signals[0]?.addEventListener("abort", () => resolve()));
        await ended(under);
      },
      { observation: open },
    );
    assert.deepEqual(
      [...counts.requests].map(({ labels }) => labels[2]),
      ["499"],
    );
  });
});

/** Keeps the fields of every line, those of children with their bindings. */
function recordingLogger(lines: object[], bindings: object = {}): Logger {
  const note = (fields: object): void => void lines.push({ ...bindings, ...fields });
  return {
    debug: note,
    info: note,
    warn: note,
    error: note,
    child: (more) => recordingLogger(lines, { ...bindings, ...more }),
  };
}

describe("a request id", () => {
  test("of the client is kept, answered, logged and sent to the head", async () => {
    const lines: object[] = [];
    await withApi(
      async ({ url, inference }) => {
        const response = await fetch(url + CHAT, {
          method: "POST",
          headers: { "content-type": "application/json", "x-request-id": "my-request_1" },
          body: JSON.stringify({ ...QUESTION, n: 2 }),
        });
        await response.text();
        assert.equal(response.headers.get("x-request-id"), "my-request_1");
        assert.deepEqual(
          inference.requests.map(({ origin }) => origin?.requestId),
          ["my-request_1", "my-request_1"],
        );
      },
      { logger: recordingLogger(lines) },
    );
    assert.ok(lines.some((line) => Reflect.get(line, "reqId") === "my-request_1"));
  });

  test("that could do harm in a log or a path is replaced", async () => {
    await withApi(async ({ url }) => {
      for (const id of ["a b", "x".repeat(200), "../../etc", "%0a"]) {
        const response = await fetch(`${url}/healthz`, { headers: { "x-request-id": id } });
        assert.match(response.headers.get("x-request-id") ?? "", /^[a-z0-9]{8}$/);
      }
    });
  });
});

describe("a trace", () => {
  async function ask(url: string, headers: Record<string, string> = {}): Promise<void> {
    const all = { "content-type": "application/json", ...headers };
    const response = await fetch(url + CHAT, { method: "POST", headers: all, body: JSON.stringify(QUESTION) });
    await response.text();
  }

  test("goes on with that of the client", async () => {
    const { observation: open } = observation();
    await withApi(
      async ({ url, inference }) => {
        await ask(url, { traceparent: `00-${TRACE_ID}-${PARENT}-01` });
        await ask(url, { traceparent: `00-${TRACE_ID}-${PARENT}-00` });
        await ask(url, { traceparent: "nonsense" });
        const [sampled, unsampled, own] = inference.requests.map(({ origin }) => origin);
        assert.deepEqual([sampled?.traceId, sampled?.parentId, sampled?.traced], [TRACE_ID, PARENT, true]);
        assert.deepEqual([unsampled?.traceId, unsampled?.traced], [TRACE_ID, false]);
        assert.match(own?.traceId ?? "", /^[0-9a-f]{32}$/);
        assert.notEqual(own?.traceId, TRACE_ID);
      },
      { observation: open },
    );
  });

  test("is listed, told, and told for chrome://tracing; of unknown requests is a 404", async () => {
    const { observation: open } = observation();
    await withApi(
      async ({ url }) => {
        await ask(url, { "x-request-id": "known" });
        const list = Object(await (await fetch(`${url}/cluster/traces`)).json());
        assert.equal(list.traces[0].request_id, "known");
        const chrome = await fetch(`${url}/cluster/traces/known?format=chrome`);
        assert.match(chrome.headers.get("content-disposition") ?? "", /trace\.json/);
        assert.equal(Object(await chrome.json()).displayTimeUnit, "ms");
        const unknown = await fetch(`${url}/cluster/traces/unknown`);
        assert.equal(unknown.status, 404);
        assert.equal((await errorOf(unknown)).code, "trace_not_found");
        const wrong = await fetch(`${url}/cluster/traces/known?format=xml`);
        assert.equal(wrong.status, 400);
        assert.match((await errorOf(wrong)).message, /json or chrome.*"xml"/);
      },
      { observation: open },
    );
  });

  test("has what the request was, and nothing of what it said", async () => {
    const { observation: open } = observation();
    await withApi(
      async (under) => {
        await ask(under.url, { "x-request-id": "known" });
        await ended(under);
      },
      { observation: open },
    );
    const trace = open.traces.find("known");
    const http = trace?.spans.find(({ name }) => name === "http");
    assert.deepEqual(http?.attributes, { method: "POST", route: CHAT, status: 200 });
    assert.equal(trace?.running, false);
    assert.doesNotMatch(JSON.stringify(trace), /capital|Paris/);
  });

  test("is begun in the tracing system of the program that runs the node, if it has one", async () => {
    const begun: unknown[] = [];
    let over = 0;
    const { observation: open } = observation({
      outer: (name, parent) => {
        begun.push([name, parent]);
        const end = (): void => {
          over += 1;
        };
        return { traceId: "c".repeat(32), spanId: "d".repeat(16), end };
      },
    });
    await withApi(
      async (under) => {
        await ask(under.url, { traceparent: `00-${TRACE_ID}-${PARENT}-01` });
        assert.equal(under.inference.requests[0]?.origin?.traceId, "c".repeat(32));
        assert.equal(under.inference.requests[0]?.origin?.parentId, "d".repeat(16));
        await ended(under);
      },
      { observation: open },
    );
    assert.deepEqual(begun, [["exo_native.request", { traceId: TRACE_ID, spanId: PARENT }]]);
    assert.equal(over, 1);
  });
});

describe("GET /cluster/events", () => {
  test("is a stream that begins with the document of GET /cluster, and ends with the server", async () => {
    const { observation: open } = observation({ eventMilliseconds: 5 });
    await withApi(
      async ({ api, url }) => {
        const response = await fetch(`${url}/cluster/events`);
        assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
        assert.ok(reader !== undefined);
        let text = "";
        while (!text.includes("event: activity")) text += (await reader.read()).value ?? assert.fail("it ended");
        const [first = ""] = text.split("\n\n");
        assert.ok(first.startsWith("event: cluster\ndata: "), first);
        assert.deepEqual(JSON.parse(first.slice(first.indexOf("{"))), SNAPSHOT);
        const rest = (async () => {
          while (!(await reader.read()).done);
        })();
        await api.stop();
        await rest;
      },
      { observation: open, logger: silentLogger },
    );
  });
});
