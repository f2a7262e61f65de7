import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Bytes that need not be anywhere before they are asked for. */
export interface Content {
  readonly length: number;
  subarray(begin: number, end: number): Uint8Array;
}

/** How a hub serves one file, and what goes wrong on the way. */
export interface HubFile {
  content: Content;
  /** Beside those that a file has anyway. */
  headers?: Readonly<Record<string, string>>;
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
  /** Answers 206 with another total length than the right one. */
  claimedTotal?: number;
  /** Ranges that come with one bit changed, as from a bad disk. */
  corrupt?: (begin: number) => boolean;
  /** Sent as Content-Length instead of the right one (the connection is closed at the end). */
  claimedLength?: number;
  /** Sends no Content-Length. */
  chunked?: boolean;
  /** Answers 401 to requests that do not send this. */
  authorization?: string;
  /** Answers ranges with at most so many bytes, as some proxies do. */
  mostBytes?: number;
  /** Called when a request comes, before the answer. */
  onRequest?: (request: IncomingMessage) => void;
}

export interface HubRequest {
  readonly path: string;
  readonly method: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

/** Time for a client, on a busy machine too, to have read what was sent before the connection breaks. */
const READ_MS = 150;

/** A real HTTP server that behaves like a model hub, and misbehaves as told. */
export class Hub {
  readonly files = new Map<string, HubFile>();
  readonly requests: HubRequest[] = [];
  /** Of bodies, over all requests. */
  bytesSent = 0;
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
    const { range, "if-range": ifRange, authorization } = request.headers;
    this.requests.push({ path, method: request.method ?? "", range, ifRange: [ifRange].flat()[0], authorization });
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
    if (file.redirectTo !== undefined) {
      return void response.writeHead(302, { ...file.headers, location: file.redirectTo }).end();
    }
    this.#send(file, request, response);
  }

  #send(file: HubFile, request: IncomingMessage, response: ServerResponse): void {
    const { content } = file;
    const etag = file.etag === undefined ? `"${content.length}-${content.subarray(0, 1)[0]}"` : file.etag;
    const validators = {
      ...file.headers,
      ...(etag === null ? {} : { etag }),
      ...(file.lastModified === undefined ? {} : { "last-modified": file.lastModified }),
    };
    const asked = rangeOf(file, request, [etag, file.lastModified ?? null]);
    if (asked !== null && asked.begin >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const { begin, end } = asked ?? { begin: 0, end: content.length };
    const length = file.chunked === true ? {} : { "content-length": file.claimedLength ?? end - begin };
    const total = file.claimedTotal ?? content.length;
    const range = asked === null ? {} : { "content-range": `bytes ${begin}-${end - 1}/${total}` };
    response.writeHead(asked === null ? 200 : 206, { ...validators, ...length, ...range });
    const body = { begin, end };
    if (request.method === "HEAD") return void response.end();
    this.#body(file, body, response);
  }

  #body(file: HubFile, { begin, end }: Span, response: ServerResponse): void {
    const breakAfter = file.breaks?.shift() ?? null;
    const upTo = breakAfter ?? file.stallsAfter ?? end - begin;
    void this.#write(file, { begin, end: Math.min(end, begin + upTo) }, response).then(() => {
      const isShort = file.claimedLength !== undefined && file.claimedLength !== end - begin;
      if (breakAfter !== null || isShort) setTimeout(() => response.socket?.destroy(), READ_MS);
      else if (file.stallsAfter === undefined) response.end();
    });
  }

  async #write(file: HubFile, { begin, end }: Span, response: ServerResponse): Promise<void> {
    for (let at = begin; at < end && !response.destroyed; at += PIECE_BYTES) {
      const to = Math.min(end, at + PIECE_BYTES);
      const piece = file.content.subarray(at, to);
      const sent = file.corrupt?.(begin) === true ? Uint8Array.from(piece, (byte) => byte ^ 1) : piece;
      this.bytesSent += sent.length;
      // A client that hangs up empties nothing any more.
      if (!response.write(sent)) await drained(response);
    }
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

interface Span {
  readonly begin: number;
  readonly end: number;
}

const PIECE_BYTES = 2 ** 20;

function rangeOf(file: HubFile, request: IncomingMessage, validators: readonly (string | null)[]): Span | null {
  const { first, last } = /^bytes=(?<first>\d+)-(?<last>\d*)$/.exec(request.headers.range ?? "")?.groups ?? {};
  if (first === undefined || file.ignoresRanges === true) return null;
  const condition = [request.headers["if-range"]].flat()[0];
  const holds = condition === undefined || file.ignoresIfRange === true || validators.includes(condition);
  const end = last === "" || last === undefined ? file.content.length : Number(last) + 1;
  const most = Number(first) + (file.mostBytes ?? file.content.length);
  return holds ? { begin: Number(first), end: Math.min(file.content.length, end, most) } : null;
}
