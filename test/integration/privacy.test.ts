import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { eventually } from "../support/eventually.js";
import { NodeProcess } from "../support/node-process.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

/** In every text that is sent, and in every text that must come back. */
const CANARY = "zq9canary";
const KEY = `${CANARY}-key-of-the-owner`;

/** Refuses some content in words that repeat it, as templates do; describes tools. */
const TEMPLATE =
  "{%- if tools %}{%- for tool in tools %}{{- tool | tojson }}{%- endfor %}{%- endif %}" +
  "{%- for message in messages %}{%- if 'refuse' in message.content %}{{- raise_exception('No: ' + message.content) }}" +
  "{%- endif %}{{- '<|' + message.role + '|>' + (message.content or '') }}{%- endfor %}" +
  "{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}";

const JSON_TYPE = { "content-type": "application/json" };
const listed = z.object({ traces: z.array(z.object({ request_id: z.string() })) });

interface Sent {
  readonly path: string;
  readonly body: unknown;
  /** Default: 200. */
  readonly status?: number;
}

const say = (content: string) => [{ role: "user", content }];
const said = { messages: say(`${CANARY} question`), max_tokens: 4 };
const tool = {
  type: "function",
  function: { name: `${CANARY}_tool`, description: CANARY, parameters: { type: "object", properties: {} } },
};

const SENT: readonly Sent[] = [
  { path: "/v1/chat/completions", body: said },
  { path: "/v1/chat/completions", body: { ...said, stream: true } },
  { path: "/v1/chat/completions", body: { ...said, grammar: `root ::= "${CANARY}-answer"`, max_tokens: 40 } },
  { path: "/v1/chat/completions", body: { ...said, grammar: `root ::= "${CANARY}" ( ::= missing` }, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, grammar: `root ::= ${CANARY}` }, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, tools: [tool], tool_choice: "required", max_tokens: 60 } },
  { path: "/v1/chat/completions", body: { ...said, tools: [tool], max_tokens: 20 } },
  { path: "/v1/chat/completions", body: { ...said, messages: say(`refuse ${CANARY}`) }, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, messages: say(`${CANARY} `.repeat(2000)) }, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, temperature: CANARY }, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, logit_bias: { [CANARY]: 1 } }, status: 400 },
  { path: "/v1/chat/completions", body: { messages: [{ role: CANARY, content: CANARY }] }, status: 400 },
  { path: "/v1/chat/completions", body: `{"messages": ${CANARY}`, status: 400 },
  { path: "/v1/chat/completions", body: { ...said, stop: [CANARY], user: CANARY, metadata: { a: CANARY } } },
  {
    path: "/v1/chat/completions",
    body: {
      ...said,
      max_tokens: 60,
      response_format: {
        type: "json_schema",
        json_schema: { name: CANARY, schema: { type: "object", properties: { [CANARY]: { const: CANARY } } } },
      },
    },
  },
  { path: "/v1/completions", body: { prompt: `${CANARY} once`, max_tokens: 4, echo: true } },
  { path: "/v1/completions", body: { prompt: [CANARY, CANARY], max_tokens: 4, stream: true } },
  { path: "/v1/responses", body: { input: CANARY, instructions: CANARY, max_output_tokens: 4 } },
  { path: "/v1/messages", body: { max_tokens: 4, system: CANARY, messages: say(CANARY) } },
  { path: "/v1/messages/count_tokens", body: { messages: say(CANARY) } },
  { path: "/v1/embeddings", body: { input: [CANARY, `${CANARY} more`] } },
  { path: "/v1/embeddings", body: { input: `${CANARY} `.repeat(4000) }, status: 400 },
  { path: "/api/chat", body: { model: "tiny", messages: say(CANARY), options: { num_predict: 4 } } },
  { path: "/api/generate", body: { model: "tiny", prompt: CANARY, options: { num_predict: 4 } } },
  { path: "/api/embed", body: { model: "tiny", input: CANARY } },
  { path: "/tokenize", body: { content: CANARY, with_pieces: true } },
  { path: "/apply-template", body: { messages: say(CANARY) } },
  { path: "/apply-template", body: { messages: say(`refuse ${CANARY}`) }, status: 400 },
  { path: `/nowhere/${CANARY}`, body: {}, status: 404 },
];

describe("what is said to a ring of two nodes, at the most talkative log level", { timeout: 240_000 }, () => {
  const model = writeTinyModel({ chatTemplate: TEMPLATE, contextLength: 512, plainText: true });
  const nodes: NodeProcess[] = [];
  before(async () => {
    const args = ["--threads", "1", "--log-level", "debug", "--api-key", KEY];
    const worker = await NodeProcess.start({ name: "worker", args });
    nodes.push(worker);
    const ring = ["--min-nodes", "2", "--layers", "0-2@head,2-4@worker", "--peer", worker.grpc];
    nodes.push(await NodeProcess.start({ name: "head", args: [model.path, ...args, ...ring] }));
    for (const node of nodes) await node.ready();
  });
  after(async () => {
    for (const node of nodes) await node.stop();
    model.remove();
  });

  const auth = { authorization: `Bearer ${KEY}` };

  async function send(node: NodeProcess, { path, body, status = 200 }: Sent): Promise<void> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const headers = { ...JSON_TYPE, ...auth };
    const response = await fetch(node.http + path, { method: "POST", headers, body: text });
    const answer = await response.text();
    assert.equal(response.status, status, `${path} ${text.slice(0, 200)}: ${answer}`);
  }

  /** Everything that a node tells or writes, by where it stands. */
  async function told(node: NodeProcess): Promise<ReadonlyMap<string, string>> {
    const read = async (path: string): Promise<string> => (await fetch(node.http + path, { headers: auth })).text();
    const texts = new Map<string, string>();
    for (const path of ["/metrics", "/cluster", "/cluster/traces", "/cluster/doctor"])
      texts.set(path, await read(path));
    for (const { request_id: id } of listed.parse(JSON.parse(texts.get("/cluster/traces") ?? "")).traces) {
      texts.set(`trace ${id}`, await read(`/cluster/traces/${id}`));
    }
    texts.set("log", node.log);
    if (process.platform === "linux") texts.set("arguments", readFileSync(`/proc/${node.pid}/cmdline`, "utf8"));
    return texts;
  }

  test("stands in no log, metric, trace, record or list of processes of either", async () => {
    for (const node of nodes) for (const sent of SENT) await send(node, sent);
    for (const node of nodes) {
      const gone = new AbortController();
      const body = JSON.stringify({ ...said, max_tokens: 400, ignore_eos: true, stream: true });
      const headers = { ...JSON_TYPE, ...auth };
      const stream = await fetch(`${node.http}/v1/chat/completions`, {
        method: "POST",
        headers,
        body,
        signal: gone.signal,
      });
      await stream.body?.getReader().read();
      gone.abort();
      const wrong = { authorization: `Bearer ${CANARY}-no-key` };
      assert.equal((await fetch(`${node.http}/cluster`, { headers: wrong })).status, 401);
    }
    await eventually(async () => {
      for (const node of nodes) assert.match(node.log, /"outcome":"cancelled"|"code":"cancelled"/);
    });
    for (const node of nodes) {
      const texts = await told(node);
      assert.ok((texts.get("log") ?? "").includes('"level":"debug"'), "it does tell much");
      assert.ok([...texts.keys()].some((name) => name.startsWith("trace ")));
      const leaks = [...texts].flatMap(([where, text]) =>
        text
          .split("\n")
          .filter((line) => line.includes(CANARY))
          .map((line) => `${node.name}, ${where}: ${line.slice(0, 300)}`),
      );
      assert.deepEqual(leaks, []);
    }
  });
});
