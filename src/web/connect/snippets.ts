/** How an app is connected to this node. */
export interface Snippet {
  readonly id: string;
  readonly title: string;
  /** What to do with the code; empty when that is plain. */
  readonly note: string;
  /** Of the code, as in Markdown. */
  readonly language: string;
  readonly code: string;
}

export interface ConnectTo {
  /** `http://127.0.0.1:52415` */
  readonly origin: string;
  readonly model: string;
  /** Whether the node asks for an API key. */
  readonly keyed: boolean;
}

/** Stands where the reader's own key goes. */
const KEY = "YOUR_API_KEY";
const QUESTION = "Why is the sky blue?";

export function snippets(to: ConnectTo): readonly Snippet[] {
  return [curl, openaiJs, openaiPython, anthropicPython, anthropicJs, ollama, openWebUi, continueDev].map((make) =>
    make(to),
  );
}

function curl({ origin, model, keyed }: ConnectTo): Snippet {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: "user", content: QUESTION }] });
  const lines = [
    `curl -N ${origin}/v1/chat/completions`,
    ...(keyed ? [`  -H 'Authorization: Bearer ${KEY}'`] : []),
    "  -H 'Content-Type: application/json'",
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ];
  return { id: "curl", title: "curl", note: "", language: "bash", code: lines.join(" \\\n") };
}

function openaiJs({ origin, model, keyed }: ConnectTo): Snippet {
  const code = `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${quoted(`${origin}/v1`)}, apiKey: ${quoted(keyed ? KEY : "none")} });
const stream = await client.chat.completions.create({
  model: ${quoted(model)},
  messages: [{ role: "user", content: ${quoted(QUESTION)} }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");`;
  return { id: "openai-js", title: "OpenAI for JavaScript", note: "npm install openai", language: "js", code };
}

function openaiPython({ origin, model, keyed }: ConnectTo): Snippet {
  const code = `from openai import OpenAI

client = OpenAI(base_url=${quoted(`${origin}/v1`)}, api_key=${quoted(keyed ? KEY : "none")})
stream = client.chat.completions.create(
    model=${quoted(model)},
    messages=[{"role": "user", "content": ${quoted(QUESTION)}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)`;
  return { id: "openai-python", title: "OpenAI for Python", note: "pip install openai", language: "python", code };
}

function anthropicPython({ origin, model, keyed }: ConnectTo): Snippet {
  const code = `from anthropic import Anthropic

client = Anthropic(base_url=${quoted(origin)}, api_key=${quoted(keyed ? KEY : "none")})
message = client.messages.create(
    model=${quoted(model)},
    max_tokens=1024,
    messages=[{"role": "user", "content": ${quoted(QUESTION)}}],
)
print(message.content[0].text)`;
  const title = "Anthropic SDK for Python";
  return { id: "anthropic-python", title, note: "pip install anthropic", language: "python", code };
}

function anthropicJs({ origin, model, keyed }: ConnectTo): Snippet {
  const code = `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: ${quoted(origin)}, apiKey: ${quoted(keyed ? KEY : "none")} });
const message = await client.messages.create({
  model: ${quoted(model)},
  max_tokens: 1024,
  messages: [{ role: "user", content: ${quoted(QUESTION)} }],
});
console.log(message.content);`;
  const title = "Anthropic SDK for JavaScript";
  return { id: "anthropic-js", title, note: "npm install @anthropic-ai/sdk", language: "js", code };
}

function ollama({ origin, model, keyed }: ConnectTo): Snippet {
  const headers = keyed ? `, headers: { Authorization: "Bearer ${KEY}" }` : "";
  const code = `import { Ollama } from "ollama";

const ollama = new Ollama({ host: ${quoted(origin)}${headers} });
const answer = await ollama.chat({
  model: ${quoted(model)},
  messages: [{ role: "user", content: ${quoted(QUESTION)} }],
});
console.log(answer.message.content);`;
  const note = `Programs that talk to Ollama take the address of this node instead; most read OLLAMA_HOST=${origin}.`;
  return { id: "ollama", title: "Ollama clients", note, language: "js", code };
}

function openWebUi({ origin, keyed }: ConnectTo): Snippet {
  const code = `docker run -d --network host \\
  -e OPENAI_API_BASE_URL=${origin}/v1 \\
  -e OPENAI_API_KEY=${keyed ? KEY : "none"} \\
  -v open-webui:/app/backend/data \\
  ghcr.io/open-webui/open-webui:main`;
  const note = "Or in its settings, under Connections: an OpenAI API with the same address and key.";
  return { id: "open-webui", title: "Open WebUI", note, language: "bash", code };
}

function continueDev({ origin, model, keyed }: ConnectTo): Snippet {
  const code = `name: exo-native
version: 1.0.0
schema: v1
models:
  - name: ${quoted(model)}
    provider: openai
    model: ${quoted(model)}
    apiBase: ${quoted(`${origin}/v1`)}
    apiKey: ${quoted(keyed ? KEY : "none")}
    roles: [chat, edit]`;
  return { id: "continue", title: "Continue", note: "In ~/.continue/config.yaml.", language: "yaml", code };
}

/** A text as JavaScript, Python and YAML all read it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
