import { type ClusterDocument, parseCluster } from "./cluster-document.js";
import { type ListedModel, parseModels } from "./models-document.js";
import { responseError, unreachable } from "./server-error.js";

/** The node's HTTP API. Everything that this page asks of a node goes through here. */
export class Server {
  /** Sent with every request when it is not empty. */
  apiKey = "";

  async cluster(): Promise<ClusterDocument> {
    return parseCluster(await this.json("/cluster"));
  }

  async models(): Promise<readonly ListedModel[]> {
    return parseModels(await this.json("/v1/models"));
  }

  /** Asks for a JSON document. */
  async json(path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await this.fetch(path, init);
    return response.status === 204 ? null : response.json();
  }

  /** Sends a JSON document and awaits another. */
  async post(path: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    return this.json(path, jsonBody(body, signal));
  }

  /** The response once it is known to be good; otherwise throws a `ServerError`, or the signal's reason. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.apiKey !== "") headers.set("authorization", `Bearer ${this.apiKey}`);
    const response = await reach(path, { ...init, headers });
    if (response.ok) return response;
    throw await responseError(response);
  }
}

export function jsonBody(body: unknown, signal?: AbortSignal): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  };
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (thrown) {
    if (init.signal?.aborted === true) throw thrown;
    throw unreachable();
  }
}
