import { html } from "htm/preact";
import { CodeBlock } from "../markdown/code-block.js";
import type { ToolCall } from "./conversation.js";

/** The tools that the model asks for, with what it hands them. */
export function ToolCalls({ calls, final }: { calls: readonly ToolCall[]; final: boolean }) {
  return calls.map(
    ({ name, arguments: json }, index) => html`<details class="tool-call" open key=${index}>
      <summary>Tool call: <code>${name}</code></summary>
      <${CodeBlock} code=${indented(json)} language="json" final=${final} />
    </details>`,
  );
}

/** As it is while it is no JSON yet. */
function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
