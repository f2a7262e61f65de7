import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { PLAIN_TEMPLATE } from "../support/chat-template.js";
import { post } from "../support/completions.js";
import { eventually } from "../support/eventually.js";
import { tinyModel } from "../support/models.js";
import { NodeProcess } from "../support/node-process.js";

/** The model is sure of itself, and all numbers have 24 bits: so what is computed beside a row tips no choice. */
const model = tinyModel({ matrices: "f32", plainText: true, contextLength: 512, chatTemplate: PLAIN_TEMPLATE });
const LONG = { max_tokens: 250, ignore_eos: true, stream: true };
/** Its tokens are computed again one by one, as they were. */
const ALIKE = { ...LONG, cache_prompt: false, speculation: false };

const chunkSchema = z.object({
  error: z.object({ message: z.string() }).optional(),
  choices: z.array(
    z.object({
      text: z.string().optional(),
      delta: z.object({ content: z.string().optional() }).optional(),
      finish_reason: z.string().nullish(),
    }),
  ),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }).nullish(),
});

interface Question {
  readonly path: string;
  readonly body: object;
}

const usage = { stream_options: { include_usage: true } };
const QUESTIONS: readonly Question[] = [
  { path: "/v1/completions", body: { ...ALIKE, ...usage, prompt: "Once upon a time", temperature: 0 } },
  { path: "/v1/completions", body: { ...LONG, prompt: "The dog ran", temperature: 1, top_p: 0.9, seed: 5 } },
  {
    path: "/v1/chat/completions",
    body: { ...LONG, messages: [{ role: "user", content: "Hello" }], temperature: 0.8, seed: 9, presence_penalty: 0.3 },
  },
];

/** A streamed answer as its client puts it together. */
class StreamedAnswer {
  text = "";
  chunks = 0;
  finishReason: string | null = null;
  usage: unknown = null;
  isDone = false;

  static async ask(
    node: NodeProcess,
    { path, body }: Question,
  ): Promise<{ answer: StreamedAnswer; end: Promise<void> }> {
    const response = await post(node, path, body);
    assert.equal(response.status, 200);
    const answer = new StreamedAnswer();
    return { answer, end: answer.#read(response) };
  }

  async #read(response: Response): Promise<void> {
    assert.ok(response.body !== null);
    let rest = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data: ")) this.#take(line.slice("data: ".length));
    }
  }

  #take(data: string): void {
    assert.equal(this.isDone, false, "nothing comes after the end");
    if (data === "[DONE]") {
      this.isDone = true;
      return;
    }
    const { error, choices, usage: used } = chunkSchema.parse({ choices: [], ...JSON.parse(data) });
    assert.equal(error, undefined, error?.message);
    this.chunks += 1;
    if (used != null) this.usage = used;
    for (const { text, delta, finish_reason: reason } of choices) {
      this.text += text ?? delta?.content ?? "";
      if (reason != null) this.finishReason = reason;
    }
  }
}

function wholeAnswers(node: NodeProcess): Promise<readonly StreamedAnswer[]> {
  return Promise.all(
    QUESTIONS.map(async (question) => {
      const { answer, end } = await StreamedAnswer.ask(node, question);
      await end;
      return answer;
    }),
  );
}

const clusterSchema = z.object({
  rings: z.array(z.object({ state: z.string(), stages: z.array(z.object({ node_name: z.string() })) })),
});

/** Names of the nodes of the ready ring, its head first. */
async function ringNodes(node: NodeProcess): Promise<readonly string[]> {
  const { rings } = clusterSchema.parse(await (await fetch(`${node.http}/cluster`)).json());
  const ready = rings.find(({ state }) => state === "ready");
  return ready?.stages.map((stage) => stage.node_name) ?? [];
}

describe("answers of a ring that loses a node in the middle of them", () => {
  const nodes: NodeProcess[] = [];
  let expected: readonly StreamedAnswer[] = [];

  before(async () => {
    const args = ["--threads", "1", "--ctx", "512", "--kv", "f32", "--flash-attention", "off"];
    // Two may be lost, and as many as --min-nodes says are there still.
    for (const name of ["one", "two", "three"]) nodes.push(await NodeProcess.start({ name, args }));
    const peers = nodes.flatMap(({ grpc }) => ["--peer", grpc]);
    const placed = [model, "--min-nodes", "2", "--strategy", "memory-weighted"];
    nodes.push(await NodeProcess.start({ name: "head", args: [...placed, ...args, ...peers] }));
    await Promise.all(nodes.map((node) => node.ready()));
    expected = await wholeAnswers(named("head"));
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
  });

  function named(name: string): NodeProcess {
    const node = nodes.find((one) => one.name === name);
    assert.ok(node !== undefined, name);
    return node;
  }

  /** Asks all at once, kills a node in the middle, and holds what came to what would have. */
  async function killedAmidAnswers(entry: NodeProcess, victim: NodeProcess): Promise<void> {
    const asked = await Promise.all(QUESTIONS.map((question) => StreamedAnswer.ask(entry, question)));
    await eventually(async () => assert.ok(asked.every(({ answer }) => answer.chunks >= 20)));
    assert.ok(
      asked.every(({ answer }) => !answer.isDone),
      "they are under way",
    );
    await victim.kill();
    await Promise.all(asked.map(({ end }) => end));
    for (const [index, { answer }] of asked.entries())
      assert.deepEqual({ ...answer }, { ...expected[index], chunks: answer.chunks });
  }

  test("a worker: all of them go on, and end as they would have", async () => {
    const head = named("head");
    const names = await ringNodes(head);
    assert.ok(names.length >= 2, "the model is split");
    await killedAmidAnswers(head, named(names[1] ?? ""));
    assert.match(head.log, /an answer lost its ring/);
  });

  test("the head, while another node has the client: that one has them go on", async () => {
    const entry = nodes.find((node) => node.running && node.name !== "head");
    assert.ok(entry !== undefined);
    await eventually(async () => assert.ok((await ringNodes(entry)).length > 0));
    const [head = ""] = await ringNodes(entry);
    assert.notEqual(head, entry.name, "the entry node is not the head");
    await killedAmidAnswers(entry, named(head));
    assert.match(entry.log, /an answer lost its ring/);
  });
});
