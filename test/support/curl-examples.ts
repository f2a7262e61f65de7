/** A fenced block of a page that asks a node by curl. */
export interface CurlExample {
  readonly page: string;
  /** Of its first line; the first line of a page is 1. */
  readonly line: number;
  readonly text: string;
  /** Why it is not run: `<!-- not run: reason -->` stands above it. */
  readonly notRun: string | null;
}

const FENCE = /^```(?:sh|bash|shell|console)$/;
const MARK = /^<!-- not run: (.+) -->$/;

/** Addresses of a node on this machine, as pages write them. */
const NODE = /https?:\/\/(?:127\.0\.0\.1|localhost):52415/g;

export function curlExamples(page: string, markdown: string): readonly CurlExample[] {
  const lines = markdown.split("\n");
  return lines.flatMap((line, index) => {
    if (!FENCE.test(line)) return [];
    const end = lines.indexOf("```", index);
    const text = lines.slice(index + 1, end < 0 ? undefined : end).join("\n");
    if (!/\bcurl\b/.test(text) || text.search(NODE) < 0) return [];
    const above = lines.slice(0, index).findLast((one) => one.trim() !== "") ?? "";
    return [{ page, line: index + 2, text, notRun: MARK.exec(above.trim())?.[1] ?? null }];
  });
}

export interface RunningNode {
  readonly url: string;
  /** By which any model of an example is replaced. */
  readonly model: string;
  readonly ringId: string;
}

/** The id of a ring that examples name. */
const RING_ID = "h7k2m9xq";

/** The example as it can be run here. */
export function rewritten({ text }: CurlExample, { url, model, ringId }: RunningNode): string {
  return text
    .replaceAll(NODE, url)
    .replaceAll(/("model"\s*:\s*)"[^"]*"/g, (_, key: string) => `${key}${JSON.stringify(model)}`)
    .replaceAll(RING_ID, ringId);
}

/** What is wrong with an answer to curl, or `null`. */
export function faultOf(status: string, body: string): string | null {
  const [code = "", type = ""] = status.split(" ", 2);
  if (!/^2\d\d$/.test(code)) return `it answered ${code}: ${body.slice(0, 500)}`;
  if (type.startsWith("application/json")) return isJson(body) ? null : `this is not JSON: ${body.slice(0, 500)}`;
  if (type.startsWith("text/event-stream")) return eventFault(body);
  if (type.startsWith("application/x-ndjson")) return linesFault(body.split("\n"));
  return body === "" && code !== "204" ? "the answer is empty" : null;
}

function eventFault(body: string): string | null {
  const data = body.split("\n").flatMap((line) => (line.startsWith("data: ") ? [line.slice("data: ".length)] : []));
  const errors = data.filter((one) => one.startsWith('{"error"'));
  if (errors.length > 0) return `the stream tells of an error: ${errors[0]}`;
  return linesFault(data.filter((one) => one !== "[DONE]"));
}

function linesFault(lines: readonly string[]): string | null {
  const told = lines.filter((line) => line.trim() !== "");
  if (told.length === 0) return "the stream is empty";
  const wrong = told.find((line) => !isJson(line));
  return wrong === undefined ? null : `this line of the stream is not JSON: ${wrong.slice(0, 500)}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
