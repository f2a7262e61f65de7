import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChatPrompt } from "../../src/core/inference.js";
import type { Stage } from "../../src/native/stage.js";
import { loadRange } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

/** A template that says nothing about tools. */
const TEMPLATE =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

const model = writeTinyModel({ chatTemplate: TEMPLATE });
const tools = ["clock", "lamp"].map((name) => ({
  type: "function",
  function: {
    name,
    description: `A ${name}`,
    parameters: { type: "object", properties: { on: { type: "boolean" } }, required: ["on"] },
  },
}));

let stage: Stage;
before(async () => {
  stage = await loadRange(model.path, [0, 4, true]);
});
after(async () => {
  await stage.close();
  model.remove();
});

const question: ChatPrompt = { kind: "chat", messages: [{ role: "user", content: "Hi" }], tools };

describe("tools for a model whose template knows none", () => {
  test("are described in a system prompt of their own", () => {
    const { prompt } = stage.chat.render(question);
    assert.match(
      prompt,
      /^<system>You can call these functions:\n\{"name":"clock","description":"A clock".*<\/system><user>/s,
    );
    assert.doesNotMatch(prompt, /Answer with a call/);
    assert.match(stage.chat.render({ ...question, toolChoice: "required" }).prompt, /Answer with a call\.<\/system>/);
  });

  test("are described behind the system prompt that there is", () => {
    const messages = [{ role: "system", content: "Be brief." }, ...question.messages];
    assert.match(stage.chat.render({ ...question, messages }).prompt, /^<system>Be brief\.\n\nYou can call/);
  });

  test("leave a conversation without tools as it is", () => {
    const { prompt } = stage.chat.render({ ...question, toolChoice: "none" });
    assert.equal(prompt, "<user>Hi</user><assistant>");
  });

  test("have their calls and answers written into the conversation", () => {
    const call = { id: "1", type: "function", function: { name: "lamp", arguments: '{"on":true}' } };
    const messages = [
      ...question.messages,
      { role: "assistant", content: "Wait.", tool_calls: [call] },
      { role: "tool", tool_call_id: "1", content: [{ type: "text", text: "bright" }] },
    ];
    const { prompt } = stage.chat.render({ ...question, messages, toolChoice: "none" });
    assert.equal(
      prompt,
      '<user>Hi</user><assistant>Wait.\n<tool_call>{"name":"lamp", "arguments": {"on":true}}</tool_call></assistant>' +
        "<user><tool_response>bright</tool_response></user><assistant>",
    );
  });

  test("must be used where that is asked for: nothing but a call fits", () => {
    const rendered = stage.chat.render({ ...question, toolChoice: "required" });
    const sampler = stage.createSampler({ constraint: rendered.constraint });
    const answer = '<tool_call>{"name": "lamp", "arguments": {"on": true}}</tool_call>';
    sampler.acceptAnswer(stage.tokenizer.encode(answer).slice(1));
    sampler.close();
    const parsed = stage.chat.parse(rendered, answer, false);
    assert.deepEqual([parsed.toolCalls[0]?.name, parsed.content], ["lamp", ""]);
    assert.deepEqual(JSON.parse(parsed.toolCalls[0]?.arguments ?? ""), { on: true });
    const other = stage.createSampler({ constraint: rendered.constraint });
    assert.throws(() => other.acceptAnswer(stage.tokenizer.encode("No").slice(1)), { code: "invalid_argument" });
    other.close();
  });

  test("may be used, and are parsed while their call grows", () => {
    const rendered = stage.chat.render(question);
    const answer = 'Well. <tool_call>{"name": "clock", "arguments": {"on": false}}</tool_call>';
    const seen = new Set<string>();
    for (let end = 1; end <= answer.length; end += 1) {
      const { content, toolCalls } = stage.chat.parse(rendered, answer.slice(0, end), end < answer.length);
      assert.ok("Well. ".startsWith(content), content);
      seen.add(toolCalls[0]?.arguments ?? "");
    }
    assert.ok(seen.size > 5, "arguments come in pieces");
    assert.equal(stage.chat.parse(rendered, "Just text.", false).content, "Just text.");
  });

  test("do not go with a schema for the answer", () => {
    assert.throws(() => stage.chat.render(question, { jsonSchema: '{"type":"object"}' }), { code: "unsupported" });
  });
});

describe("variables of a template", () => {
  test("reach it", async () => {
    const told = writeTinyModel({ chatTemplate: "{{ reasoning_effort }} {{ deep.list[1] }}{{ messages[0].content }}" });
    const other = await loadRange(told.path, [0, 4, true]);
    const templateVariables = { reasoning_effort: "high", deep: { list: [1, 2] } };
    const { prompt } = other.chat.render({
      kind: "chat",
      messages: [{ role: "user", content: "!" }],
      templateVariables,
    });
    assert.equal(prompt, "high 2!");
    await other.close();
    told.remove();
  });
});
