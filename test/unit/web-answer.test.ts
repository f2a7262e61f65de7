import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ERROR_CODES } from "../../src/core/errors.js";
import { packageRoot } from "../../src/core/package.js";
import { DEFAULT_SAMPLING } from "../../src/native/sampler.js";
import { chatEvents } from "../../src/web/api/chat-events.js";
import type { ClusterDocument } from "../../src/web/api/cluster-document.js";
import { parseCluster } from "../../src/web/api/cluster-document.js";
import { parseModels } from "../../src/web/api/models-document.js";
import { ServerError } from "../../src/web/api/server-error.js";
import { parseHash, toHash } from "../../src/web/app/route.js";
import { adviceFor } from "../../src/web/chat/advice.js";
import { AnswerDraft } from "../../src/web/chat/answer-draft.js";
import { contextUsed, factsText } from "../../src/web/chat/facts-text.js";
import { loadProgress } from "../../src/web/chat/load-progress.js";
import { DEFAULT_PARAMETERS, NUMBER_FIELDS, parseParameters, readParameters } from "../../src/web/chat/parameters.js";
import { snippets } from "../../src/web/connect/snippets.js";

const BASE = { id: "a", parent: "q", model: "tiny" };

function choice(delta: object, finish: string | null = null) {
  return { choices: [{ index: 0, delta, finish_reason: finish }] };
}

describe("an answer that comes in pieces", () => {
  test("is put together, and measured", () => {
    const draft = new AnswerDraft(BASE, 1000);
    assert.equal(draft.waited(1200), 200);
    const chunks = [
      [1500, choice({ role: "assistant", content: "" })],
      [1600, choice({ reasoning_content: "Hm." })],
      [1700, choice({ content: "It is" })],
      [1800, choice({ tool_calls: [{ index: 0, id: "1", function: { name: "f", arguments: '{"a"' } }] })],
      [1900, choice({ tool_calls: [{ index: 0, function: { arguments: ":1}" } }] })],
      [2000, { ...choice({}, "tool_calls"), timings: { predicted_n: 9, predicted_per_second: 25.04 } }],
      [
        2001,
        {
          choices: [],
          usage: { prompt_tokens: 1200, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 7 } },
        },
      ],
    ] as const;
    for (const [now, chunk] of chunks) for (const event of chatEvents(chunk)) draft.add(event, now);
    const answer = draft.finished();
    assert.deepEqual(
      [answer.text, answer.reasoning, answer.toolCalls, answer.ending],
      ["It is", "Hm.", [{ id: "1", name: "f", arguments: '{"a":1}' }], "tool_calls"],
    );
    assert.equal(
      factsText(answer.facts),
      "TTFT 600 ms · 25.0 tok/s · 9 tokens · prompt 1,200 tokens, 7 of them cached",
    );
    assert.equal(contextUsed(answer.facts), 1209);
    assert.equal(draft.waited(2002), null);
  });

  test("counts what it sees while the node has not said more", () => {
    const draft = new AnswerDraft(BASE, 0);
    for (const now of [100, 200, 300]) draft.add({ kind: "text", text: "x" }, now);
    assert.equal(factsText(draft.soFar().facts), "TTFT 100 ms · 10.0 tok/s · 3 tokens");
    assert.equal(draft.stopped().ending, "stopped");
  });

  test("without a token has nothing to tell", () => {
    assert.equal(factsText(new AnswerDraft(BASE, 0).soFar().facts), "");
    assert.equal(factsText(null), "");
  });

  test("that fails tells the node's sentence and code", () => {
    const event = { error: { message: "The node laptop went away.", code: "stage_lost" } };
    assert.throws(
      () => [...chatEvents(event)],
      (thrown) => {
        assert.ok(thrown instanceof ServerError);
        assert.deepEqual([thrown.message, thrown.code], ["The node laptop went away.", "stage_lost"]);
        return true;
      },
    );
  });

  test("may hold anything", () => {
    for (const chunk of [null, 1, "x", [], {}, { choices: [null] }, choice({ content: 3, tool_calls: [1, null] })]) {
      for (const event of chatEvents(chunk)) assert.equal(event.kind, "tool-call");
    }
  });
});

describe("parameters", () => {
  const read = (form: object) => readParameters(parseParameters(form));

  test("leave it to the node where nothing is said", () => {
    assert.deepEqual(readParameters(DEFAULT_PARAMETERS), { body: {}, faults: {} });
    assert.deepEqual(parseParameters("nonsense"), DEFAULT_PARAMETERS);
  });

  test("show the node's own defaults", () => {
    const shown = Object.fromEntries(NUMBER_FIELDS.map(({ name, placeholder }) => [name, placeholder]));
    const { temperature, topP, topK, minP } = DEFAULT_SAMPLING;
    const expected = { temperature, topP, topK, minP };
    for (const [name, value] of Object.entries(expected)) assert.equal(shown[name], String(value), name);
  });

  test("are fields of the request", () => {
    const form = {
      temperature: "0",
      topP: "0.5",
      topK: "-1",
      minP: "1",
      maxTokens: " 12 ",
      seed: "7",
      stop: "a\n\nb\\nc",
    };
    assert.deepEqual(read(form).body, {
      temperature: 0,
      top_p: 0.5,
      top_k: -1,
      min_p: 1,
      max_tokens: 12,
      seed: 7,
      stop: ["a", "b\nc"],
    });
    assert.deepEqual(read({ format: "json_object" }).body, { response_format: { type: "json_object" } });
    assert.deepEqual(read({ format: "json_schema", schema: '{"type":"object"}' }).body.response_format, {
      type: "json_schema",
      json_schema: { name: "answer", schema: { type: "object" } },
    });
    assert.deepEqual(read({ tools: '[{"type":"function"}]' }).body, { tools: [{ type: "function" }] });
  });

  test("say what is wrong with them, each by itself", () => {
    const wrong = {
      temperature: "-1",
      topP: "2",
      topK: "1.5",
      minP: "x",
      maxTokens: "0",
      seed: "1e30",
      stop: "x\n".repeat(17),
      tools: "{}",
    };
    for (const [name, text] of Object.entries(wrong)) {
      const { body, faults } = read({ [name]: text });
      assert.deepEqual(Object.keys(faults), [name]);
      assert.match(Object.values(faults).join(), /\.$/);
      assert.deepEqual(body, {});
    }
    for (const schema of ["", "[]", "{", "1"]) {
      assert.deepEqual(Object.keys(read({ format: "json_schema", schema }).faults), ["schema"]);
    }
  });
});

describe("advice", () => {
  test("is there for every error of the node, and says what to do", () => {
    for (const code of Object.keys(ERROR_CODES)) {
      const { hint, again, way } = adviceFor({ code, message: "x", retryAfterSeconds: null });
      assert.ok(again !== null || way !== null, `${code} leaves the reader alone`);
      assert.match(hint, /^$|\.$/);
    }
  });

  test("waits as long as the node asked for", () => {
    assert.equal(adviceFor({ code: "overloaded", message: "x", retryAfterSeconds: 3 }).waitSeconds, 3);
  });
});

describe("the loading of a model", () => {
  const cluster = (rings: object[], downloads: object[]): ClusterDocument =>
    parseCluster({
      node: {},
      rings,
      nodes: [
        { id: "n", downloads },
        { id: "m", downloads },
      ],
    });
  const [model] = parseModels({ data: [{ id: "tiny", aliases: ["hf:x/tiny"], status: { value: "loading" } }] });

  test("is told as bytes while nodes fetch, then as a share", () => {
    assert.ok(model);
    const download = { model: "x", spec: "hf:x/tiny", received: 2 ** 20, total: 2 ** 22, bytes_per_second: 2 ** 19 };
    assert.deepEqual(loadProgress(cluster([], [download]), model), {
      text: "Fetching the model: 2.0 MiB of 8.0 MiB, 1.0 MiB/s",
      fraction: 0.25,
    });
    assert.deepEqual(loadProgress(cluster([], [{ ...download, total: null }]), model)?.fraction, null);
    const ring = { model: "tiny", state: "loading", progress: 0.456 };
    assert.deepEqual(loadProgress(cluster([ring], []), model), { text: "Loading tiny: 46 %", fraction: 0.456 });
    const reason = "Waiting for nodes: 1 of 2 are here.";
    assert.deepEqual(loadProgress(cluster([{ ...ring, state: "waiting", reason }], []), model), {
      text: "tiny cannot be loaded yet: Waiting for nodes: 1 of 2 are here",
      fraction: null,
    });
    assert.equal(loadProgress(cluster([{ ...ring, state: "ready" }], []), model), null);
    assert.equal(loadProgress(null, model), null);
  });
});

describe("addresses of views", () => {
  test("are read as they are written", () => {
    assert.deepEqual(parseHash(toHash("traces", "a/b c")), { view: "traces", rest: ["a/b c"] });
    assert.deepEqual(parseHash(""), { view: "chat", rest: [] });
    assert.deepEqual(parseHash("#/%E0%A4%A"), { view: "%E0%A4%A", rest: [] });
  });
});

describe("snippets", () => {
  const to = { origin: "http://10.0.0.1:52415", model: "hf:x/y:Q4", keyed: false };

  test("name the address of the node that sent the page, and its model", () => {
    for (const { id, code, note } of snippets(to)) {
      assert.match(code + note, /http:\/\/10\.0\.0\.1:52415/, id);
      if (id !== "open-webui") assert.match(code, /hf:x\/y:Q4/, id);
      assert.doesNotMatch(code, /YOUR_API_KEY/, id);
    }
  });

  test("have a place for the key where one is asked for", () => {
    for (const { id, code } of snippets({ ...to, keyed: true })) assert.match(code, /YOUR_API_KEY/, id);
  });

  test("a quote in a model's name does not end the shell's text", () => {
    const [curl] = snippets({ ...to, model: "it's" });
    assert.match(curl?.code ?? "", /it'\\''s/);
  });
});

describe("the page's import map", () => {
  test("names files that the server sends, and each of them", async () => {
    const { readVendorModule, VENDOR_MODULES } = await import("../../src/api/vendor-modules.js");
    const page = readFileSync(join(packageRoot(), "src", "web", "static", "index.html"), "utf8");
    const map: unknown = JSON.parse(/<script type="importmap">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? "");
    const named = Object.values(Object(Reflect.get(Object(map), "imports")));
    assert.deepEqual(named.toSorted(), VENDOR_MODULES.map(({ name }) => `/modules/vendor/${name}`).toSorted());
    for (const module of VENDOR_MODULES) assert.notEqual(await readVendorModule(module), "", module.name);
  });
});
