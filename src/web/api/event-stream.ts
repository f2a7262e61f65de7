export interface ServerEvent {
  /** `message` where the server names none. */
  readonly event: string;
  readonly data: string;
}

/** The server-sent events of a response, as they come. Comments and other fields are skipped. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = fieldOf(block, "data");
        if (data !== "") yield { event: fieldOf(block, "event") || "message", data };
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The `data` of each event alone. */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  for await (const { data } of serverEvents(body)) yield data;
}

function fieldOf(block: string, name: string): string {
  const lines = block.split("\n").filter((line) => line.startsWith(`${name}:`));
  return lines.map((line) => line.slice(name.length + 1).trimStart()).join("\n");
}
