import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { ExoError } from "../../src/core/errors.js";
import type { InferenceEvent } from "../../src/core/inference.js";
import { eventsOf, MODEL, QUESTION, withApi } from "./api-under-test.js";
import { endless, finished, STARTED, saying } from "./scripted-inference.js";

const STREAM = { ...QUESTION, stream: true };
const CHAT = "/v1/chat/completions";

/** A promise and the function that settles it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

describe("a stream", () => {
  test("tells the role, the pieces, the reason, the usage, and ends", async () => {
    await withApi(async ({ post }) => {
      const response = await post(CHAT, { ...STREAM, stream_options: { include_usage: true } });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
      assert.equal(response.headers.get("x-accel-buffering"), "no");
      assert.match(response.headers.get("cache-control") ?? "", /no-transform/);
      const events = await eventsOf(response);
      assert.equal(events.at(-1), "data: [DONE]");
      const chunks = events.slice(0, -1).map((chunk) => Object(chunk));
      assert.deepEqual(
        chunks.map((chunk) => chunk.choices[0]?.delta ?? "usage"),
        [
          { role: "assistant", content: "" },
          { content: "Paris" },
          { content: " is" },
          { content: " it" },
          { content: "." },
          {},
          "usage",
        ],
      );
      assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
      assert.equal(chunks.at(-2).timings.predicted_n, 4);
      assert.equal(chunks.at(-1).usage.total_tokens, 11);
      assert.equal(chunks[0].usage, null);
      assert.equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size, 1);
    });
  });

  test("is a plain HTTP error when it fails before the first piece", async () => {
    await withApi(async ({ post, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        throw new ExoError("context_exceeded", "The prompt has 9000 tokens; the context holds 4096.");
      };
      const response = await post(CHAT, STREAM);
      assert.equal(response.status, 400);
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    });
  });

  test("ends with an error event and the end mark when it fails later", async () => {
    await withApi(async ({ post, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "Par" };
        throw new Error("a secret path /home/me/model.gguf");
      };
      const events = await eventsOf(await post(CHAT, STREAM));
      assert.equal(events.at(-1), "data: [DONE]");
      const { error } = Object(events.at(-2));
      assert.equal(error.code, "internal");
      assert.equal(error.type, "server_error");
      assert.doesNotMatch(error.message, /secret/);
    });
  });

  test("fails honestly when the service ends without a reason", async () => {
    await withApi(async ({ post, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "Par" };
      };
      const events = await eventsOf(await post(CHAT, STREAM));
      assert.equal(Object(events.at(-2)).error.code, "internal");
      assert.equal((await post(CHAT, QUESTION)).status, 500);
    });
  });

  test("sends comments while nothing else comes, and tells a failure after them as an event", async () => {
    const failing = gate();
    await withApi(
      async ({ post, inference }) => {
        inference.script = async function* () {
          await failing.opened;
          yield* saying([]);
          throw new ExoError("stage_lost", "The node laptop went away.");
        };
        const response = await post(CHAT, STREAM);
        assert.equal(response.status, 200);
        let text = "";
        for await (const bytes of response.body ?? []) {
          text += Buffer.from(bytes).toString();
          if (text.split(": keep-alive\n\n").length > 3) failing.open();
        }
        assert.match(text, /^(: keep-alive\n\n){3,}/);
        assert.match(text, /"code":"stage_lost".*\n\ndata: \[DONE\]\n\n$/);
      },
      { heartbeatMilliseconds: 10 },
    );
  });

  for (const stream of [true, false]) {
    test(`frees the slot at once when the client hangs up (${stream ? "streamed" : "whole"})`, async () => {
      await withApi(async ({ post, inference }) => {
        const running = gate();
        let pieces = 0;
        inference.script = (_request, signal) =>
          endless(async () => {
            pieces += 1;
            if (pieces <= 4) return;
            running.open();
            await aborted(signal);
          }, signal);
        const client = new AbortController();
        const answer = post(CHAT, { ...QUESTION, stream, n: 2 }, { signal: client.signal }).catch(() => null);
        if (stream) assert.equal((await answer)?.status, 200);
        await running.opened;
        client.abort();
        await Promise.all(inference.signals.map(aborted));
        assert.equal(inference.signals.length, 2);
        await answer;
      });
    });
  }

  test("is cut off when its client reads nothing, and does not pile up in memory meanwhile", async () => {
    await withApi(
      async ({ api, inference }) => {
        const piece = "x".repeat(256 * 1024);
        const ended = gate();
        let pieces = 0;
        inference.script = async function* () {
          try {
            yield STARTED;
            for (; pieces < 400; pieces += 1) yield { type: "delta", text: piece };
          } finally {
            ended.open();
          }
        };
        const socket = connect(api.address?.port ?? 0, "127.0.0.1");
        socket.pause();
        socket.on("error", () => {});
        const body = JSON.stringify(STREAM);
        socket.write(
          `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
        await ended.opened;
        assert.ok(pieces < 200, `${pieces} pieces of 256 KiB were taken for a client that read none`);
        assert.equal(inference.signals[0]?.aborted, true);
        socket.destroy();
      },
      { stalledClientMilliseconds: 200 },
    );
  });

  test("reaches a slow client whole", async () => {
    await withApi(async ({ post, inference }) => {
      const piece = "y".repeat(200_000);
      inference.script = () => saying(Array.from({ length: 50 }, () => piece));
      const response = await post(CHAT, STREAM);
      let text = "";
      for await (const bytes of response.body ?? []) {
        text += Buffer.from(bytes).toString();
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(text.split(piece).length - 1, 50);
      assert.ok(text.endsWith("data: [DONE]\n\n"));
    });
  });

  test("is told when the node stops, and the stop does not wait for it", async () => {
    await withApi(async ({ api, url, post, inference }) => {
      inference.script = (_request, signal) => {
        let pieces = 0;
        return endless(() => (pieces++ < 3 ? Promise.resolve() : aborted(signal)), signal);
      };
      const response = await post(CHAT, STREAM);
      const text = response.text();
      await api.stop();
      assert.match(await text, /"code":"not_ready".*\n\ndata: \[DONE\]\n\n$/);
      assert.equal(inference.signals[0]?.aborted, true);
      await assert.rejects(fetch(`${url}/healthz`));
    });
  });

  test("stops in time although a client reads nothing and the service ignores its signal", async () => {
    await withApi(
      async ({ api, inference }) => {
        const started = gate();
        inference.script = async function* (): AsyncGenerator<InferenceEvent> {
          yield STARTED;
          for (;;) {
            started.open();
            yield { type: "delta", text: "x".repeat(1024 * 1024) };
          }
        };
        const socket = connect(api.address?.port ?? 0, "127.0.0.1");
        socket.pause();
        socket.on("error", () => {});
        const body = JSON.stringify(STREAM);
        socket.write(
          `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
        await started.opened;
        const closed = once(socket, "close");
        await api.stop();
        socket.resume();
        await closed;
      },
      { stopMilliseconds: 50 },
    );
  });

  test("interleaves choices and bounds how many run at once", async () => {
    await withApi(async ({ post, inference }) => {
      let running = 0;
      let most = 0;
      inference.script = async function* (request) {
        running += 1;
        most = Math.max(most, running);
        yield STARTED;
        yield { type: "delta", text: String(request.input.kind === "text" ? request.input.prompt : "") };
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        yield finished("length", 1);
      };
      const prompt = Array.from({ length: 40 }, (_, index) => `p${index}`);
      const response = await post("/v1/completions", { model: MODEL, prompt, stream: true });
      const chunks = (await eventsOf(response)).slice(0, -1).map((chunk) => Object(chunk).choices[0]);
      const texts = new Map<number, string>();
      for (const { index, text } of chunks) texts.set(index, (texts.get(index) ?? "") + text);
      assert.deepEqual(
        [...texts].sort(([a], [b]) => a - b).map(([, text]) => text),
        prompt,
      );
      assert.equal(chunks.filter((choice) => choice.finish_reason === "length").length, 40);
      assert.ok(most <= 8, `${most} at once`);
    });
  });
});
