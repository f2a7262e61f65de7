import { once } from "node:events";
import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import type { Embedding, InferenceEvent } from "../core/inference.js";
import type { Logger } from "../core/ports.js";
import { requireCaller } from "./caller.js";
import { type NodeBuild, requireCompatible } from "./compatibility.js";
import {
  loadStageRequestSchema,
  nodeHelloSchema,
  placeModelSchema,
  stagePlaceSchema,
  stopModelSchema,
  toWireLoadEvent,
} from "./control-messages.js";
import { EchoServer } from "./echo-server.js";
import { toWireEmbedding } from "./embedding-messages.js";
import type { EmbedRequest__Output } from "./generated/exo/v1/EmbedRequest.js";
import type { GenerateRequest__Output } from "./generated/exo/v1/GenerateRequest.js";
import type { LoadStageRequest__Output } from "./generated/exo/v1/LoadStageRequest.js";
import type { NodeHandlers } from "./generated/exo/v1/Node.js";
import { CALL_METHODS, embedRequestSchema, inferenceRequestSchema } from "./inference-schema.js";
import { MAX_GOSSIP_BYTES } from "./limits.js";
import { fromWireRun, modelSpecSchema, toWireOffer } from "./model-messages.js";
import type { LoadStageEvent, NodeService } from "./node-service.js";
import { parse } from "./parse.js";
import { packData, unpackData } from "./plain-data.js";
import { probeModelRequestSchema } from "./probe-messages.js";
import { toGrpcStatus } from "./status-table.js";

export interface ControlServerOptions {
  readonly service: NodeService;
  readonly build: NodeBuild;
  readonly logger: Logger;
}

/** Offers a `NodeService` to peers: refuses other builds, parses what comes, turns every failure into a status. */
export class ControlServer {
  readonly handlers: NodeHandlers;
  readonly #options: ControlServerOptions;
  readonly #echo: EchoServer;
  /** Ends one stream each. */
  readonly #streams = new Set<(error: ExoError) => void>();

  constructor(options: ControlServerOptions) {
    this.#options = options;
    const { service, build } = options;
    this.#echo = new EchoServer(build);
    this.handlers = {
      Hello: this.#unary("Hello", async (request, from) => {
        const peer = parse(nodeHelloSchema, request, "A hello", "invalid_argument");
        requireCompatible(build, peer);
        const own = await service.hello(peer, { host: hostOf(from), port: peer.grpcPort });
        return { ...own, capabilities: [...own.capabilities] };
      }),
      Health: this.#unary("Health", async () => {
        const { record, uptimeSeconds } = await service.health();
        return { record: packData(record), uptimeSeconds };
      }),
      Gossip: this.#unary("Gossip", async ({ message }) => {
        requireSize(message, MAX_GOSSIP_BYTES, "Gossip");
        return { message: packData(await service.gossip(unpackData(message, "Gossip", "invalid_argument"))) };
      }),
      LoadStage: this.#streaming(
        "LoadStage",
        (request, signal) => loadStage(service, request, signal),
        toWireLoadEvent,
      ),
      UnloadStage: this.#unary("UnloadStage", async ({ place, keep }) => {
        await service.unloadStage(parse(stagePlaceSchema, place, "An unload request", "invalid_argument"), keep);
        return {};
      }),
      PlaceModel: this.#unary("PlaceModel", async (order) => {
        const { ringId, askedBy } = parse(placeModelSchema, order, "A request for a ring", "invalid_argument");
        const request = unpackData(order.request, "A request for a ring", "invalid_argument");
        return { ring: packData(await service.placeModel({ ringId, askedBy, request })) };
      }),
      StopModel: this.#unary("StopModel", async (order) => ({
        stopped: await service.stopModel(parse(stopModelSchema, order, "An order to stop a ring", "invalid_argument")),
      })),
      Drain: this.#unary("Drain", async ({ draining }) => {
        await service.drain(draining);
        return {};
      }),
      ReadTraces: this.#unary("ReadTraces", async ({ requestId }) => ({
        traces: packData(await service.readTraces(requestId === "" ? null : requestId)),
      })),
      Generate: this.#streaming(
        "Generate",
        (request, signal) => generate(service, request, signal),
        (event) => ({
          event: packData(event),
        }),
      ),
      Embed: this.#streaming("Embed", (request, signal) => embed(service, request, signal), toWireEmbedding),
      Call: this.#unary("Call", async ({ method, arguments: packed }) => {
        const value = unpackData(packed, "A call's arguments", "invalid_argument");
        return { result: packData(await callMethod(service, method, value)) };
      }),
      ProbeModel: this.#unary("ProbeModel", async (request, _from, signal) => {
        const wanted = parse(probeModelRequestSchema, request, "A probe request", "invalid_argument");
        return { speed: packData(await service.probeModel(wanted, signal)) };
      }),
      Echo: (call) => this.#echo.accept(call),
      OfferModel: this.#unary("OfferModel", async ({ model }) =>
        toWireOffer(await service.offerModel(parse(modelSpecSchema, model, "A model spec", "invalid_argument"))),
      ),
      HashModel: this.#unary("HashModel", async (request, _, signal) => ({
        hashes: Buffer.concat(await service.hashModel(request.fileId, fromWireRun(request), signal)),
      })),
      ReadModel: this.#streaming(
        "ReadModel",
        ({ fileId, begin, end }, signal) => service.readModel(fileId, begin, end, signal),
        (data) => ({ data }),
      ),
    };
  }

  /** Ends every stream with `stage_lost`. */
  close(): void {
    const reason = new ExoError("stage_lost", "The node is shutting down.");
    for (const end of this.#streams) end(reason);
    this.#echo.close(reason);
  }

  #unary<Request, Response>(
    method: string,
    answer: (request: Request, from: string, signal: AbortSignal) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const gone = new AbortController();
      call.on("cancelled", () => gone.abort());
      const run = async (): Promise<Response> => {
        requireCaller(call.metadata, this.#options.build, call.getPeer());
        return answer(call.request, call.getPeer(), gone.signal);
      };
      run().then(
        (response) => callback(null, response),
        (thrown: unknown) => callback(this.#failure(method, call.getPeer(), thrown)),
      );
    };
  }

  #streaming<Request, Event, Response>(
    method: string,
    produce: (request: Request, signal: AbortSignal) => AsyncIterable<Event>,
    encode: (event: Event) => Response,
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      const abort = new AbortController();
      const end = (thrown: unknown): void => {
        if (!this.#streams.delete(end)) return;
        call.emit("error", this.#failure(method, call.getPeer(), thrown));
        abort.abort();
      };
      this.#streams.add(end);
      call.on("cancelled", () => {
        this.#streams.delete(end);
        abort.abort();
      });
      const run = async (): Promise<void> => {
        requireCaller(call.metadata, this.#options.build, call.getPeer());
        await pump(call, produce(call.request, abort.signal), encode, abort.signal);
        if (this.#streams.delete(end)) call.end();
      };
      run().catch(end);
    };
  }

  #failure(method: string, peer: string, thrown: unknown): ReturnType<typeof toGrpcStatus> {
    const error = ExoError.from(thrown);
    const level = error.code === "internal" ? "error" : "debug";
    this.#options.logger[level](
      { method, peer, code: error.code, cause: error.cause },
      `${method} failed: ${error.message}`,
    );
    return toGrpcStatus(error);
  }
}

function loadStage(
  service: NodeService,
  request: LoadStageRequest__Output,
  signal: AbortSignal,
): AsyncIterable<LoadStageEvent> {
  return service.loadStage(parse(loadStageRequestSchema, request, "A load request", "invalid_argument"), signal);
}

function generate(
  service: NodeService,
  { request }: GenerateRequest__Output,
  signal: AbortSignal,
): AsyncIterable<InferenceEvent> {
  const value = unpackData(request, "An inference request", "invalid_argument");
  return service.generate(parse(inferenceRequestSchema, value, "An inference request", "invalid_argument"), signal);
}

async function* embed(
  service: NodeService,
  { request }: EmbedRequest__Output,
  signal: AbortSignal,
): AsyncGenerator<Embedding, void, void> {
  const value = unpackData(request, "A request for embeddings", "invalid_argument");
  yield* await service.embed(parse(embedRequestSchema, value, "A request for embeddings", "invalid_argument"), signal);
}

function callMethod(service: NodeService, method: string, value: unknown): Promise<unknown> {
  const { tokenize, detokenize, apply_template } = CALL_METHODS;
  switch (method) {
    case "tokenize":
      return service.tokenize(parse(tokenize.input, value, "A tokenize call", "invalid_argument"));
    case "detokenize": {
      const { model, tokens } = parse(detokenize.input, value, "A detokenize call", "invalid_argument");
      return service.detokenize(model, tokens);
    }
    case "apply_template": {
      const { model, prompt } = parse(apply_template.input, value, "An apply_template call", "invalid_argument");
      return service.applyTemplate(model, prompt);
    }
    default:
      throw new ExoError("unsupported", `This node knows no call named "${method.slice(0, 64)}".`);
  }
}

/** The server as a whole takes what the largest frame needs. */
function requireSize({ byteLength }: Buffer, most: number, what: string): void {
  if (byteLength <= most) return;
  throw new ExoError("invalid_argument", `${what} of ${byteLength} bytes is more than the ${most} that are allowed.`);
}

/** Asks for the next event only when the caller has room for it; leaves the source when the caller is gone. */
async function pump<Event, Response>(
  call: ServerWritableStream<unknown, Response>,
  events: AsyncIterable<Event>,
  encode: (event: Event) => Response,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of events) {
    if (signal.aborted) return;
    if (!call.write(encode(event))) await once(call, "drain", { signal });
  }
}

/** `host:port` as gRPC writes a peer, IPv6 without brackets or IPv4 mapped into it, to the host alone. */
function hostOf(peer: string): string {
  return peer
    .slice(0, peer.lastIndexOf(":"))
    .replace(/^\[|\]$/g, "")
    .replace(/^::ffff:(?=[\d.]+$)/, "");
}
