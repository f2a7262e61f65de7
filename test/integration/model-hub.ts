import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a hub serves one file, and what goes wrong on the way. */
export interface HubFile {
  content: Buffer;
  /** Strong by default; `null`: the server sends no validator. */
  etag?: string | null;
  lastModified?: string;
  /** Answers every request with 200 and the whole file. */
  ignoresRanges?: boolean;
  /** Answers ranges without looking at If-Range. */
  ignoresIfRange?: boolean;
  /** Sends this many bytes of the body, then breaks the connection; one entry per request, `null`: no break. */
  breaks?: (number | null)[];
  /** Sends so many bytes, then nothing. */
  stallsAfter?: number;
  /** Statuses for the first requests, before it behaves. */
  failures?: { status: number; retryAfter?: string }[];
  redirectTo?: string;
  /** Sent as Content-Length instead of the right one (the connection is closed at the end). */
  claimedLength?: number;
  /** Sends no Content-Length. */
  chunked?: boolean;
  /** Answers 401 to requests that do not send this. */
  authorization?: string;
  /** Called when a request comes, before the answer. */
  onRequest?: (request: IncomingMessage) => void;
}

export interface HubRequest {
  readonly path: string;
  readonly method: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

/** Time for a client, on a busy machine too, to have read what was sent before the connection breaks. */
const READ_MS = 150;

/** A real HTTP server that behaves like a model hub, and misbehaves as told. */
export class Hub {
  readonly files = new Map<string, HubFile>();
  readonly requests: HubRequest[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  url(path: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${path}`;
  }

  serve(path: string, file: HubFile): string {
    this.files.set(path, file);
    return this.url(path);
  }

  /** Ranges of the GET requests so far. */
  ranges(): readonly (string | undefined)[] {
    return this.requests.filter(({ method }) => method === "GET").map(({ range }) => range);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    const { range, "if-range": ifRange } = request.headers;
    this.requests.push({ path, method: request.method ?? "", range, ifRange: [ifRange].flat()[0] });
    const file = this.files.get(path);
    if (file === undefined) return void response.writeHead(404).end();
    file.onRequest?.(request);
    if (file.authorization !== undefined && request.headers.authorization !== file.authorization) {
      return void response.writeHead(401).end();
    }
    const failure = file.failures?.shift();
    if (failure !== undefined) {
      const headers = failure.retryAfter === undefined ? {} : { "retry-after": failure.retryAfter };
      return void response.writeHead(failure.status, headers).end("no");
    }
    if (file.redirectTo !== undefined) return void response.writeHead(302, { location: file.redirectTo }).end();
    this.#send(file, request, response);
  }

  #send(file: HubFile, request: IncomingMessage, response: ServerResponse): void {
    const { content } = file;
    const etag = file.etag === undefined ? `"${content.length}-${content[0]}"` : file.etag;
    const validators = {
      ...(etag === null ? {} : { etag }),
      ...(file.lastModified === undefined ? {} : { "last-modified": file.lastModified }),
    };
    const first = rangeStart(file, request, [etag, file.lastModified ?? null]);
    if (first !== null && first >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const body = content.subarray(first ?? 0);
    const length = file.chunked === true ? {} : { "content-length": file.claimedLength ?? body.length };
    const range = first === null ? {} : { "content-range": `bytes ${first}-${content.length - 1}/${content.length}` };
    response.writeHead(first === null ? 200 : 206, { ...validators, ...length, ...range });
    if (request.method === "HEAD") return void response.end();
    this.#body(file, body, response);
  }

  #body(file: HubFile, body: Buffer, response: ServerResponse): void {
    const breakAfter = file.breaks?.shift() ?? null;
    if (breakAfter !== null) {
      response.write(body.subarray(0, breakAfter), () => setTimeout(() => response.socket?.destroy(), READ_MS));
      return;
    }
    if (file.stallsAfter !== undefined) return void response.write(body.subarray(0, file.stallsAfter));
    if (file.claimedLength !== undefined && file.claimedLength !== body.length) {
      response.write(body, () => setTimeout(() => response.socket?.destroy(), READ_MS));
      return;
    }
    response.end(body);
  }
}

function rangeStart(file: HubFile, request: IncomingMessage, validators: readonly (string | null)[]): number | null {
  const first = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
  if (first === undefined || file.ignoresRanges === true) return null;
  const condition = [request.headers["if-range"]].flat()[0];
  const holds = condition === undefined || file.ignoresIfRange === true || validators.includes(condition);
  return holds ? Number(first) : null;
}
