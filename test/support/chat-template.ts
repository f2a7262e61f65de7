/** ChatML with tools, as many small models have it. Jinja. */
export const CHATML_TEMPLATE = [
  "{%- if tools %}{{- '<|im_start|>system\\nTools:\\n' }}",
  "{%- for tool in tools %}{{- tool | tojson }}{{- '\\n' }}{%- endfor %}",
  `{{- 'For each call write <tool_call>\\n{"name": ..., "arguments": ...}\\n</tool_call><|im_end|>\\n' }}{%- endif %}`,
  "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}",
  "{%- if message.content %}{{- message.content }}{%- endif %}",
  "{%- if message.tool_calls %}{%- for call in message.tool_calls %}",
  `{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}`,
  "{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{%- endif %}",
  "{{- '<|im_end|>\\n' }}{%- endfor %}",
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}",
].join("");
