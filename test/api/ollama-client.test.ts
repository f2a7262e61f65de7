import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ollama, type Tool } from "ollama";
import type { ModelCard, ModelLibrary } from "../../src/api/ports.js";
import type { LoadOptions } from "../../src/cluster/model-request.js";
import { ExoError } from "../../src/core/errors.js";
import type { ModelProgress } from "../../src/model/progress.js";
import { linesOf, MODEL, RING, SNAPSHOT, withApi } from "./api-under-test.js";
import { endless, failing, finished, logprob, STARTED, thinkingAndCalling } from "./scripted-inference.js";

const messages = [{ role: "user", content: "What is the capital of France?" }];
const WEATHER: Tool = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const CALLS = [
  { id: "call_1", function: { index: 0, name: "weather", arguments: { city: "Oslo" } } },
  { id: "call_2", function: { index: 1, name: "time", arguments: {} } },
];

type PullOptions = Parameters<ModelLibrary["resolve"]>[1];

async function abortionOf(signal: AbortSignal | undefined): Promise<void> {
  assert.ok(signal !== undefined);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

const unloaded: ModelCard = { id: "other", created: 0, ownedBy: "exo-native", state: "unloaded", sizeBytes: 7 };

describe("the ollama client", () => {
  test("gets the same chat streamed and whole", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = thinkingAndCalling;
      const ollama = new Ollama({ host: url });
      const whole = await ollama.chat({ model: "tiny", messages });
      assert.deepEqual(whole.message, {
        role: "assistant",
        content: "Looking",
        thinking: "Let me look.",
        tool_calls: CALLS,
      });
      assert.equal(whole.model, "tiny", "the name it asked for");
      assert.equal(whole.done, true);
      assert.equal(whole.done_reason, "stop");
      const parts = { content: "", thinking: "", tool_calls: [] as unknown[] };
      const stream = await ollama.chat({ model: "tiny", messages, stream: true });
      let last = null;
      for await (const line of stream) {
        parts.content += line.message.content;
        parts.thinking += line.message.thinking ?? "";
        parts.tool_calls.push(...(line.message.tool_calls ?? []));
        last = line;
      }
      assert.deepEqual({ role: "assistant", ...parts }, whole.message);
      assert.equal(last?.done_reason, "stop");
      assert.equal(last?.eval_count, whole.eval_count);
    });
  });

  test("gets the same text of generate streamed and whole, with numbers in nanoseconds", async () => {
    await withApi(async ({ url }) => {
      const ollama = new Ollama({ host: url });
      const whole = await ollama.generate({ model: MODEL, prompt: "The capital of France?" });
      assert.equal(whole.response, "Paris is it.");
      assert.equal(whole.prompt_eval_count, 7);
      assert.equal(whole.prompt_eval_duration, 200_000_000);
      assert.equal(whole.eval_count, 4);
      assert.equal(whole.eval_duration, 500_000_000);
      assert.ok(Number.isInteger(whole.total_duration) && whole.total_duration > 0);
      assert.ok(Number.isInteger(whole.load_duration) && whole.load_duration >= 0);
      let text = "";
      for await (const line of await ollama.generate({ model: MODEL, prompt: "x", stream: true }))
        text += line.response;
      assert.equal(text, whole.response);
    });
  });

  test("streams unless it says otherwise, one document a line", async () => {
    await withApi(async ({ post }) => {
      const response = await post("/api/chat", { model: MODEL, messages });
      assert.equal(response.headers.get("content-type"), "application/x-ndjson");
      const lines = await linesOf(response);
      assert.deepEqual(
        lines.map(({ message, done }) => [Object(message).content, done]),
        [
          ["Paris", false],
          [" is", false],
          [" it", false],
          [".", false],
          ["", true],
        ],
      );
      assert.ok(
        lines.every(({ model, created_at }) => model === MODEL && !Number.isNaN(Date.parse(String(created_at)))),
      );
      const whole = await post("/api/chat", { model: MODEL, messages, stream: false });
      assert.match(whole.headers.get("content-type") ?? "", /^application\/json/);
    });
  });

  test("sends what it can, in the words of the internal request", async () => {
    await withApi(async ({ url, inference }) => {
      await new Ollama({ host: url }).chat({
        model: `${MODEL}:latest`,
        messages,
        tools: [WEATHER],
        think: false,
        format: { type: "object" },
        options: {
          ...{ num_predict: 20, temperature: 0, top_k: 40, top_p: 0.9, min_p: 0.1, seed: 7, stop: ["END"] },
          ...{ repeat_penalty: 1.1, repeat_last_n: 32, presence_penalty: 0.5, frequency_penalty: 0.25 },
          ...{ num_ctx: 2048, num_gpu: 99, num_thread: 4, use_mmap: true, mirostat: 0 },
        },
      });
      const [request] = inference.requests;
      assert.equal(request?.model, MODEL);
      assert.deepEqual(request?.input, {
        kind: "chat",
        messages,
        tools: [WEATHER],
        toolChoice: "auto",
        enableThinking: false,
      });
      assert.deepEqual(request?.sampling, {
        ...{ temperature: 0, topK: 40, topP: 0.9, minP: 0.1, seed: 7, jsonSchema: '{"type":"object"}' },
        ...{ repeatPenalty: 1.1, repeatLastN: 32, presencePenalty: 0.5, frequencyPenalty: 0.25 },
      });
      assert.equal(request?.maxTokens, 20);
      assert.deepEqual(request?.stop, ["END"]);
    });
  });

  test("asks for JSON, for no limit, and for thinking by effort", async () => {
    await withApi(async ({ url, inference }) => {
      const ollama = new Ollama({ host: url });
      await ollama.generate({ model: MODEL, prompt: "x", format: "json", think: "high", options: { num_predict: -1 } });
      const [request] = inference.requests;
      assert.deepEqual(request?.sampling, { jsonSchema: '{"type":"object"}' });
      assert.equal(request?.maxTokens, undefined);
      assert.ok(request?.input.kind === "chat");
      assert.equal(request.input.enableThinking, true);
      assert.deepEqual(request.input.templateVariables, { reasoning_effort: "high" });
    });
  });

  test("goes on after tools were called", async () => {
    await withApi(async ({ url, inference }) => {
      const call = (name: string, city: string) => ({ function: { name, arguments: { city } } });
      await new Ollama({ host: url }).chat({
        model: MODEL,
        messages: [
          ...messages,
          {
            role: "assistant",
            content: "",
            thinking: "Hm.",
            tool_calls: [call("weather", "Oslo"), call("time", "Rome")],
          },
          { role: "tool", content: "noon", tool_name: "time" },
          { role: "tool", content: "rain" },
        ],
      });
      const input = inference.requests[0]?.input;
      assert.ok(input?.kind === "chat");
      assert.deepEqual(input.messages.slice(1), [
        {
          role: "assistant",
          content: "",
          reasoning_content: "Hm.",
          tool_calls: [
            { id: "call_0", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
            { id: "call_1", type: "function", function: { name: "time", arguments: '{"city":"Rome"}' } },
          ],
        },
        { role: "tool", content: "noon", tool_call_id: "call_1", name: "time" },
        { role: "tool", content: "rain", tool_call_id: "call_0", name: "weather" },
      ]);
    });
  });

  test("generates from a raw prompt, with a system text, and from a begun answer", async () => {
    await withApi(async ({ url, inference }) => {
      const ollama = new Ollama({ host: url });
      await ollama.generate({ model: MODEL, prompt: "<s>Hi", raw: true });
      await ollama.generate({ model: MODEL, prompt: "Hi", system: "Be brief." });
      await ollama.chat({ model: MODEL, messages: [...messages, { role: "assistant", content: "It is" }] });
      assert.deepEqual(
        inference.requests.map(({ input }) => input),
        [
          { kind: "text", prompt: "<s>Hi" },
          {
            kind: "chat",
            messages: [
              { role: "system", content: "Be brief." },
              { role: "user", content: "Hi" },
            ],
          },
          { kind: "text", prompt: "<user>What is the capital of France?It is" },
        ],
      );
    });
  });

  test("gets log-probabilities", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = async function* () {
        yield STARTED;
        yield { type: "delta", text: "He", logprobs: [logprob("He", -0.25)] };
        yield finished("length", 1);
      };
      const answer = await new Ollama({ host: url }).chat({ model: MODEL, messages, logprobs: true, top_logprobs: 2 });
      assert.equal(inference.requests[0]?.logprobs, 3);
      assert.equal(answer.done_reason, "length");
      const [first] = answer.logprobs ?? [];
      assert.deepEqual([first?.token, first?.logprob, first?.top_logprobs?.length], ["He", -0.25, 2]);
    });
  });

  test("throws before and in the middle of a stream", async () => {
    await withApi(async ({ url, inference }) => {
      const ollama = new Ollama({ host: url });
      inference.script = () => failing(new ExoError("model_not_found", "There is no such model."));
      await assert.rejects(ollama.chat({ model: "x", messages, stream: true }), {
        status_code: 404,
        message: "There is no such model.",
      });
      inference.script = () => failing(new ExoError("stage_lost", "The node laptop went away."), ["Par", "is"]);
      let text = "";
      await assert.rejects(async () => {
        const stream = await ollama.chat({ model: MODEL, messages, stream: true });
        for await (const line of stream) text += line.message.content;
      }, /The node laptop went away/);
      assert.equal(text, "Paris");
    });
  });

  test("hangs up, and the answer ends", async () => {
    await withApi(async ({ url, inference }) => {
      inference.script = (_request, signal) =>
        endless(async () => new Promise((resolve) => setImmediate(resolve)), signal);
      const stream = await new Ollama({ host: url }).chat({ model: MODEL, messages, stream: true });
      for await (const line of stream) {
        assert.equal(line.done, false);
        break;
      }
      stream.abort();
      await abortionOf(inference.signals[0]);
    });
  });

  test("loads a model, and unloads it", async () => {
    const loads: [string, LoadOptions][] = [];
    const unloads: string[] = [];
    const rings = {
      load: async (model: string, options: LoadOptions) => {
        loads.push([model, options]);
        return RING;
      },
      whenReady: async () => RING,
      unload: async (id: string) => {
        unloads.push(id);
        return RING;
      },
    };
    const loaded: ModelCard = { id: MODEL, created: 1, ownedBy: "exo-native" };
    await withApi(
      async ({ url, inference }) => {
        const ollama = new Ollama({ host: url });
        const load = await ollama.generate({ model: "other", prompt: "", keep_alive: "10m" });
        assert.deepEqual([load.done, load.done_reason, load.response], [true, "load", ""]);
        assert.deepEqual(loads, [["other", { keepAliveSeconds: 600 }]]);
        assert.equal(inference.tokenizations[0]?.model, "other", "it waits until the model is there");
        await ollama.chat({ model: MODEL, messages, keep_alive: 0 });
        assert.equal(loads.length, 1, "what is loaded stays as it is");
        assert.deepEqual(unloads, []);
        const unload = await ollama.chat({ model: MODEL, messages: [], keep_alive: 0 });
        assert.deepEqual([unload.done_reason, unload.message.content], ["unload", ""]);
        assert.deepEqual(unloads, ["r1"]);
        await assert.rejects(ollama.generate({ model: "nothing", prompt: "", keep_alive: 0 }), /there are: .*other/);
      },
      { rings, models: { list: () => [loaded, unloaded] } },
    );
  });

  test("does not unload what its owner keeps", async () => {
    const kept = { ...SNAPSHOT, rings: [{ ...RING, pinned: true }] };
    await withApi(
      async ({ url }) => {
        const asked = new Ollama({ host: url }).generate({ model: MODEL, prompt: "", keep_alive: 0 });
        await assert.rejects(asked, { status_code: 400, message: /kept loaded.*DELETE \/cluster\/rings\/r1/ });
      },
      { cluster: { snapshot: () => kept, readiness: () => ({ ready: true, reason: null }) } },
    );
  });

  test("is told when it would like a larger context than is loaded", async () => {
    await withApi(async ({ post }) => {
      const asked = (num_ctx: number) =>
        post("/api/chat", { model: MODEL, messages, stream: false, options: { num_ctx } });
      assert.match((await asked(8192)).headers.get("x-exo-native-notice") ?? "", /8192.*4096/);
      assert.equal((await asked(4096)).headers.get("x-exo-native-notice"), null);
    });
  });

  test("lists models, what is loaded, and the version", async () => {
    const now = Date.UTC(2026, 0, 1);
    const rings = [{ ...RING, idle_seconds: 60, keep_alive_seconds: 360 }];
    const nodes = SNAPSHOT.nodes.map((node) => ({
      ...node,
      devices: node.devices.map((device) => ({ ...device, kind: "gpu" })),
    }));
    const card: ModelCard = {
      id: MODEL,
      created: 1,
      ownedBy: "",
      parameterCount: 1.1e9,
      architecture: "llama",
      sizeBytes: 9,
    };
    const here: ModelCard = { ...unloaded, id: "here", onDisk: true };
    await withApi(
      async ({ url }) => {
        const ollama = new Ollama({ host: url });
        const { models } = await ollama.list();
        assert.deepEqual(
          models.map(({ name, size }) => [name, size]),
          [
            [MODEL, 9],
            ["here:latest", 7],
          ],
        );
        assert.deepEqual(models[0]?.details, {
          parent_model: "",
          format: "gguf",
          family: "llama",
          families: ["llama"],
          parameter_size: "1.1B",
          quantization_level: "",
        });
        const [loaded] = (await ollama.ps()).models;
        assert.equal(loaded?.name, MODEL);
        assert.equal(loaded?.size, 494 * 2 ** 20);
        assert.equal(loaded?.size_vram, 312 * 2 ** 20, "of the node that has a GPU");
        assert.equal(String(loaded?.expires_at), new Date(now + 300_000).toISOString());
        assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+$/);
      },
      {
        models: { list: () => [card, here, unloaded] },
        cluster: { snapshot: () => ({ ...SNAPSHOT, nodes, rings }), readiness: () => ({ ready: true, reason: null }) },
        clock: { monotonic: () => performance.now(), wall: () => now },
      },
    );
  });

  test("pulls a model, and reads how far it is", async () => {
    const progress: ModelProgress[] = [
      { phase: "downloading", received: 1, total: null, bytesPerSecond: 0 },
      { phase: "downloading", received: 5, total: 10, bytesPerSecond: 0 },
      { phase: "verifying", received: 10, total: 10, bytesPerSecond: 0 },
    ];
    const pulled: string[] = [];
    const library = {
      describe: async () => null,
      remove: async () => null,
      resolve: async (name: string, { onProgress }: PullOptions) => {
        pulled.push(name);
        for (const report of progress) onProgress(report);
      },
    };
    await withApi(
      async ({ url }) => {
        const ollama = new Ollama({ host: url });
        const lines = [];
        for await (const line of await ollama.pull({ model: "hf.co/org/repo:Q4_K_M", stream: true })) lines.push(line);
        assert.deepEqual(
          lines.map(({ status, completed, total }) => [status, completed, total]),
          [
            ["pulling manifest", undefined, undefined],
            ["pulling hf:org/repo:Q4_K_M", 1, undefined],
            ["pulling hf:org/repo:Q4_K_M", 5, 10],
            ["verifying sha256 digest", undefined, undefined],
            ["writing manifest", undefined, undefined],
            ["success", undefined, undefined],
          ],
        );
        assert.match(lines[1]?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
        assert.equal((await ollama.pull({ model: "tinyllama:latest" })).status, "success");
        assert.deepEqual(pulled, ["hf:org/repo:Q4_K_M", "tinyllama"]);
      },
      { library },
    );
  });

  test("is told at once when a model cannot be pulled, and that a client who leaves stops it", async () => {
    const signals: AbortSignal[] = [];
    const library = {
      describe: async () => null,
      remove: async () => null,
      resolve: async (name: string, { signal, onProgress }: PullOptions) => {
        if (name !== "large") throw new ExoError("model_not_found", `There is no model "${name}".`);
        signals.push(signal);
        onProgress({ phase: "downloading", received: 1, total: 10, bytesPerSecond: 0 });
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    };
    await withApi(
      async ({ url, post }) => {
        const refused = await post("/api/pull", { model: "nothing" });
        assert.equal(refused.status, 404);
        assert.deepEqual(await refused.json(), { error: 'There is no model "nothing".' });
        const stream = await new Ollama({ host: url }).pull({ model: "large", stream: true });
        for await (const { completed } of stream) if (completed === 1) break;
        stream.abort();
        await abortionOf(signals[0]);
      },
      { library },
    );
  });

  test("embeds texts", async () => {
    await withApi(async ({ url, inference }) => {
      const ollama = new Ollama({ host: url });
      const { model, embeddings, prompt_eval_count } = await ollama.embed({
        model: "tiny:latest",
        input: ["ab", "abc"],
      });
      assert.equal(model, "tiny:latest");
      assert.deepEqual(
        embeddings.map((one) => one[0]),
        [2, 3],
      );
      assert.equal(embeddings[0]?.[1], 0.333333343);
      assert.equal(prompt_eval_count, 5);
      assert.deepEqual((await ollama.embeddings({ model: "tiny", prompt: "abcd" })).embedding[0], 4);
      await ollama.embed({ model: "tiny", input: "a", truncate: false, dimensions: 4 });
      assert.deepEqual((await ollama.embed({ model: "tiny", input: [] })).embeddings, []);
      assert.deepEqual(
        inference.embeddings.map(({ id, client, ...request }) => request),
        [
          { model: MODEL, inputs: ["ab", "abc"], normalize: true, truncate: true },
          { model: MODEL, inputs: ["abcd"], normalize: false, truncate: true },
          { model: MODEL, inputs: ["a"], normalize: true, truncate: false, dimensions: 4 },
        ],
      );
    });
  });

  test("removes a model", async () => {
    const removed: string[] = [];
    const library = {
      describe: async () => null,
      resolve: async () => null,
      remove: async (name: string) => {
        if (name !== "tinyllama") throw new ExoError("model_not_found", "There is no such model in the cache.");
        removed.push(name);
      },
    };
    await withApi(
      async ({ url }) => {
        const ollama = new Ollama({ host: url });
        assert.deepEqual(await ollama.delete({ model: "tinyllama:latest" }), { status: "success" });
        assert.deepEqual(removed, ["tinyllama"]);
        await assert.rejects(ollama.delete({ model: "other" }), { status_code: 404 });
      },
      { library },
    );
  });

  test("finds a server, and is told what cannot be done", async () => {
    await withApi(async ({ url }) => {
      assert.equal((await fetch(`${url}/`, { method: "HEAD" })).status, 200);
      const ollama = new Ollama({ host: url });
      await assert.rejects(ollama.create({ model: "a", from: "b" }), {
        status_code: 400,
        message: /cannot be made here/,
      });
      await assert.rejects(ollama.copy({ source: "a", destination: "b" }), /cannot be copied here/);
      await assert.rejects(ollama.push({ model: "a" }), /cannot be published from here/);
      const upload = await fetch(`${url}/api/blobs/sha256:00`, { method: "POST", body: Buffer.alloc(10) });
      assert.match(JSON.stringify(await upload.json()), /cannot be uploaded here/);
    });
  });
});
