import { type Outcome, outcomeOf } from "./outcome.js";
import type { Shape } from "./shapes.js";
import { wholeOf } from "./streamed.js";

type Asked = Pick<Shape, "path" | "body">;

/** The answer of a server, whole. */
export async function ask(url: string, { path, body }: Asked): Promise<Outcome> {
  const response = await post(url, path, body);
  return outcomeOf(path, response.status, await response.json());
}

/** The same answer put together from a stream. */
export async function askStreamed(url: string, { path, body }: Asked): Promise<Outcome> {
  const usage = path === "/v1/responses" ? {} : { stream_options: { include_usage: true } };
  const response = await post(url, path, { ...body, stream: true, ...usage });
  if (response.status !== 200) return outcomeOf(path, response.status, await response.json());
  return outcomeOf(path, 200, wholeOf(path, await response.text()));
}

function post(url: string, path: string, body: unknown): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}
