import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ChatMessage } from "../../src/core/inference.js";
import type { Stage } from "../../src/native/stage.js";
import { systemTokens } from "../../src/runtime/system-prefix.js";
import { loadRange } from "../support/stages.js";
import { writeTinyModel } from "../support/tiny-gguf.js";

// ChatML with tool calls and reasoning, as Qwen's models have it, in short.
const TEMPLATE = `{%- if tools %}{{- '<|im_start|>system\\nTools:\\n' }}{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}{{- 'For each call write <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call><|im_end|>\\n' }}{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content %}{{- message.content }}{%- endif %}{%- if message.tool_calls %}{%- for call in message.tool_calls %}{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

const withTemplate = writeTinyModel({ chatTemplate: TEMPLATE });
const without = writeTinyModel();
const broken = writeTinyModel({ chatTemplate: "{% for %}" });
const weatherTool = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

let stage: Stage;
before(async () => {
  stage = await loadRange(withTemplate.path, [0, 4, true]);
});
after(async () => {
  await stage.close();
  for (const model of [withTemplate, without, broken]) model.remove();
});

describe("rendering a chat", () => {
  test("follows the model's template", () => {
    const rendered = stage.chat.render({
      kind: "chat",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
      ],
    });
    assert.equal(
      rendered.prompt,
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    );
    assert.equal(rendered.constraint, null);
  });

  test("joins content in parts", () => {
    const content = [
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ];
    const { prompt } = stage.chat.render({ kind: "chat", messages: [{ role: "user", content }] });
    assert.match(prompt, /one[\s\S]*two/);
  });

  test("a JSON schema becomes a constraint that a sampler takes", () => {
    const jsonSchema = JSON.stringify({ type: "object", properties: { a: { type: "integer" } } });
    const rendered = stage.chat.render({ kind: "chat", messages: [{ role: "user", content: "Hi" }] }, { jsonSchema });
    assert.ok(rendered.constraint !== null);
    stage.createSampler({ constraint: rendered.constraint, jsonSchema }).close();
  });

  test("tools are put into the prompt, and their calls taken out of the answer", () => {
    const rendered = stage.chat.render({
      kind: "chat",
      messages: [{ role: "user", content: "Weather in Oslo?" }],
      tools: [weatherTool],
    });
    assert.match(rendered.prompt, /"name": ?"weather"/);
    assert.ok(rendered.constraint !== null);
    stage.createSampler({ constraint: rendered.constraint }).close();
    const answer = 'Let me look.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>';
    const parsed = stage.chat.parse(rendered, answer, false);
    assert.equal(parsed.toolCalls.length, 1);
    assert.equal(parsed.toolCalls[0]?.name, "weather");
    assert.deepEqual(JSON.parse(parsed.toolCalls[0]?.arguments ?? ""), { city: "Oslo" });
    assert.equal(parsed.content.trim(), "Let me look.");
  });

  test("a call that must come comes first", () => {
    const { constraint } = stage.chat.render({
      kind: "chat",
      messages: [{ role: "user", content: "Weather in Oslo?" }],
      tools: [weatherTool],
      toolChoice: "required",
    });
    const accept = (text: string): void => {
      const sampler = stage.createSampler({ constraint });
      try {
        sampler.acceptAnswer(stage.tokenizer.encode(text, { addSpecial: false }));
      } finally {
        sampler.close();
      }
    };
    accept('<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>');
    assert.throws(() => accept("Let me look."), { code: "invalid_argument", message: /does not fit the grammar/ });
  });

  test("an answer is parsed while it grows", () => {
    const rendered = stage.chat.render({ kind: "chat", messages: [{ role: "user", content: "Hi" }] });
    const text = "Hello, world";
    for (let end = 1; end <= text.length; ++end) {
      const { content, toolCalls } = stage.chat.parse(rendered, text.slice(0, end), end < text.length);
      assert.ok(text.startsWith(content), content);
      assert.deepEqual(toolCalls, []);
    }
    assert.equal(stage.chat.parse(rendered, text, false).content, text);
  });
});

describe("a schema for the answer", () => {
  // Of the start of an answer the tokenizer makes a token that begins with a space of its own.
  for (const moreTokens of [[], ["\u2581<"]]) {
    test(`is followed by a vocabulary ${moreTokens.length === 0 ? "without" : "with"} a token of a space and a sign`, async () => {
      const chatTemplate = "{{ messages[0].content }}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";
      const model = writeTinyModel({ chatTemplate, moreTokens });
      const other = await loadRange(model.path, [0, 4, true]);
      const jsonSchema = JSON.stringify({ type: "object", properties: { a: { type: "boolean" } }, required: ["a"] });
      const { constraint } = other.chat.render(
        { kind: "chat", messages: [{ role: "user", content: "Hi" }] },
        { jsonSchema },
      );
      const sampler = other.createSampler({ constraint });
      sampler.acceptAnswer(other.tokenizer.encode('{"a": true}').slice(1));
      assert.throws(() => sampler.acceptAnswer(other.tokenizer.encode("more")), { code: "invalid_argument" });
      sampler.close();
      await other.close();
      model.remove();
    });
  }
});

describe("what cannot be rendered", () => {
  test("a model without a template says so", async () => {
    const plain = await loadRange(without.path, [0, 4, true]);
    assert.equal(plain.info.chatTemplate, null);
    assert.throws(() => plain.chat.render({ kind: "chat", messages: [{ role: "user", content: "Hi" }] }), {
      code: "unsupported",
      message: /no chat template/,
    });
    await plain.close();
  });

  test("a template that cannot be read does not keep the model from loading", async () => {
    const damaged = await loadRange(broken.path, [0, 4, true]);
    assert.throws(() => damaged.chat.render({ kind: "chat", messages: [{ role: "user", content: "Hi" }] }), {
      code: "unsupported",
      message: /chat template cannot be read/,
    });
    await damaged.close();
  });

  const wrong: readonly [string, unknown][] = [
    ["a message without a role", [{ content: "Hi" }]],
    ["content of a wrong type", [{ role: "user", content: 5 }]],
    ["a picture", [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }]],
  ];
  for (const [name, messages] of wrong) {
    test(`${name} is the caller's mistake`, () => {
      const request = { kind: "chat", messages } as Parameters<Stage["chat"]["render"]>[0];
      assert.throws(() => stage.chat.render(request), { name: "ExoError", code: "invalid_argument" });
    });
  }

  test("a grammar does not go with tools", () => {
    const chat = { kind: "chat", messages: [{ role: "user", content: "Hi" }], tools: [weatherTool] } as const;
    assert.throws(() => stage.chat.render(chat, { grammar: 'root ::= "a"' }), { code: "invalid_argument" });
  });

  test("a parser state from elsewhere is refused", () => {
    for (const parserState of ["", "{}", '{"format":99,"generation_prompt":"","parser":"","parse_tool_calls":true}']) {
      assert.throws(() => stage.chat.parse({ parserState }, "text", false), { code: "invalid_argument" });
    }
  });
});

describe("the part of a chat that stays when a full context is shifted", () => {
  const lengthOf = (text: string): number =>
    stage.tokenizer.encode(text, { addSpecial: true, parseSpecial: true }).length;
  const kept = (messages: ChatMessage[], tools?: readonly unknown[]): number => {
    const input = { kind: "chat" as const, messages, ...(tools && { tools }) };
    const tokens = stage.tokenizer.encode(stage.chat.render(input).prompt, { addSpecial: true, parseSpecial: true });
    return systemTokens(stage, input, tokens);
  };

  test("is the system prompt, and what the template puts before the question", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Again" },
    ];
    assert.equal(kept(messages), lengthOf("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"));
  });

  test("holds the tools, too", () => {
    assert.ok(kept([{ role: "user", content: "How warm is it?" }], [weatherTool]) > lengthOf("Tools: weather"));
  });

  test("is empty without them", () => {
    assert.equal(kept([{ role: "user", content: "Hi" }]), 0);
    assert.equal(kept([{ role: "system", content: "Only this." }]), 0);
  });
});
