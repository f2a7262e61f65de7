import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { twoNodeCluster } from "../unit/cli-sample-cluster.js";

/** Answers the routes that the command line uses, with what a test gives it; remembers what it was asked. */
export class StubNode {
  readonly asked: unknown[] = [];
  /** Words of the next answers; `null` hangs after the first word until the client goes. */
  answer: readonly string[] | null = ["The capital ", "is Paris."];
  hungUp = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<StubNode> {
    const server = createServer();
    const stub = new StubNode(server);
    server.on("request", (request, response) => void stub.#respond(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return stub;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (request.url) {
      case "/healthz":
        return send(response, { status: "ok" });
      case "/v1/models":
        return send(response, {
          object: "list",
          data: [{ id: "tinyllama", object: "model", aliases: ["npm:x@1.0.0/y"] }],
        });
      case "/cluster":
        return send(response, twoNodeCluster());
      case "/v1/chat/completions":
        this.asked.push(await json(request));
        return this.#stream(response);
      default:
        response.statusCode = 404;
        return send(response, { error: { message: "There is no such route.", code: "route_not_found" } });
    }
  }

  #stream(response: ServerResponse): void {
    response.setHeader("content-type", "text/event-stream");
    const chunk = (delta: object, finish: string | null, more: object = {}): void => {
      const choices = [{ index: 0, delta, finish_reason: finish }];
      response.write(`data: ${JSON.stringify({ choices, ...more })}\n\n`);
    };
    response.on("close", () => {
      if (!response.writableFinished) this.hungUp += 1;
    });
    if (this.answer === null) {
      chunk({ content: "Once " }, null);
      return;
    }
    for (const word of this.answer) chunk({ content: word }, null);
    const timings = { cache_n: 0, prompt_n: 4, prompt_ms: 20, predicted_n: 2, predicted_per_second: 10 };
    chunk({}, "stop", { timings });
    response.end("data: [DONE]\n\n");
  }
}

function send(response: ServerResponse, body: object): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}
