import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TINY_VOCABULARY_SIZE, tinyGguf } from "../support/tiny-gguf.js";

/** Tokens of context per request, on both servers. */
export const CONTEXT = 2048;
export const SLOTS = 4;

/** As models without tools have it. */
const PLAIN = `{%- for message in messages %}{{- '<|' + message.role + '|>\\n' + message.content + eos_token + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|assistant|>\\n' }}{%- endif %}`;

/** ChatML with tool calls, as Qwen's models have it, in short. */
const TOOLS = `{%- if tools %}{{- '<|im_start|>system\\nTools:\\n' }}{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}{{- 'For each call write <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call><|im_end|>\\n' }}{%- endif %}{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.content %}{{- message.content }}{%- endif %}{%- if message.tool_calls %}{%- for call in message.tool_calls %}{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- if tone is defined %}{{- '(' + tone + ') ' }}{%- endif %}{%- endif %}`;

/** Like `TOOLS`, with thinking before each answer. */
const THINKING = TOOLS.replace(
  "{%- if message.content %}",
  "{%- if message.reasoning_content %}{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}{%- if message.content %}",
).replace(
  /\{%- endif %\}$/,
  "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- else %}{{- '<think>\\n' }}{%- endif %}{%- endif %}",
);

/** `caller` is `tools` with a token that begins a call, which a request can ask for: left to itself it would never call. */
const TEMPLATES = { plain: PLAIN, tools: TOOLS, thinking: THINKING, caller: TOOLS };

/** The first token beyond those of every tiny model. */
export const CALL_TOKEN = TINY_VOCABULARY_SIZE;

export type ParityModel = keyof typeof TEMPLATES;
export const PARITY_MODELS = ["plain", "tools", "thinking", "caller"] as const satisfies readonly ParityModel[];

/** Writes a model that is the same, to the bit, wherever this runs. Returns its path. */
export function writeParityModel(directory: string, name: ParityModel): string {
  const path = join(directory, `${name}.gguf`);
  const chatTemplate = TEMPLATES[name];
  const moreTokens = name === "caller" ? ["<tool_call>\n"] : [];
  writeFileSync(path, tinyGguf({ layers: 4, contextLength: CONTEXT, plainText: true, chatTemplate, moreTokens }));
  return path;
}
