import { once } from "node:events";
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import { faultPlace } from "../core/fault-place.js";
import type { Embedding, InferenceEvent } from "../core/inference.js";
import type { Logger } from "../core/ports.js";
import { type Caller, requireCaller } from "./caller.js";
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
import type { PeerWatch } from "./peer-watch.js";
import { packData, unpackData } from "./plain-data.js";
import { probeModelRequestSchema } from "./probe-messages.js";
import { toGrpcStatus } from "./status-table.js";

/** They carry prompts and answers. */
const TEXT_METHODS: ReadonlySet<string> = new Set(["Generate", "Embed", "Call"]);

export interface ControlServerOptions {
  readonly service: NodeService;
  readonly build: NodeBuild;
  /** Is told of whoever calls. */
  readonly watch?: PeerWatch;
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
      Hello: this.#unary("Hello", async (request, from, _signal, callerId) => {
        const peer = parse(nodeHelloSchema, request, "A hello", "invalid_argument");
        requireCompatible(build, peer);
        requireSender(peer.nodeId, callerId);
        const own = await service.hello(peer, { host: hostOf(from), port: peer.grpcPort });
        return { ...own, capabilities: [...own.capabilities] };
      }),
      Health: this.#unary("Health", async () => {
        const { record, uptimeSeconds } = await service.health();
        return { record: packData(record), uptimeSeconds };
      }),
      Gossip: this.#unary("Gossip", async ({ message }, _from, _signal, callerId) => {
        requireSize(message, MAX_GOSSIP_BYTES, "Gossip");
        const gossip = unpackData(message, "Gossip", "invalid_argument");
        requireSender(senderOf(gossip), callerId);
        return { message: packData(await service.gossip(gossip)) };
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
      Call: this.#unary("Call", async ({ method, arguments: packed }, _from, signal) => {
        const value = unpackData(packed, "A call's arguments", "invalid_argument");
        return { result: packData(await callMethod(service, method, value, signal)) };
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
        hashes: Buffer.concat(await service.hashModel(request.fileId, fromWireRun(request), signal, request.doubted)),
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
    answer: (request: Request, from: string, signal: AbortSignal, callerId: string | null) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const gone = new AbortController();
      call.on("cancelled", () => gone.abort());
      const run = async (): Promise<Response> => {
        const { nodeId } = this.#admit(call);
        return answer(call.request, call.getPeer(), gone.signal, isCertified(call) ? nodeId : null);
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
        this.#admit(call);
        await pump(call, produce(call.request, abort.signal), encode, abort.signal);
        if (this.#streams.delete(end)) call.end();
      };
      run().catch(end);
    };
  }

  #admit(call: Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getPeer">): Caller {
    const caller = requireCaller(call.metadata, this.#options.build, call.getPeer());
    this.#options.watch?.heard(caller.nodeId);
    return caller;
  }

  #failure(method: string, peer: string, thrown: unknown): ReturnType<typeof toGrpcStatus> {
    const error = ExoError.from(thrown);
    const isFault = error.code === "internal";
    // What calls with somebody's text fail with may repeat it.
    const why = TEXT_METHODS.has(method) ? "" : `: ${error.message}`;
    this.#options.logger[isFault ? "error" : "debug"](
      { method, peer, code: error.code, ...(isFault ? faultPlace(thrown) : {}) },
      `${method} failed${why}`,
    );
    return toGrpcStatus(error);
  }
}

/** The connection's certificate is known, and the caller's id with it (`callerIsCertified`). */
function isCertified(call: Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">): boolean {
  return call.getAuthContext().sslPeerCertificate !== undefined;
}

/** Of gossip. */
function senderOf(message: unknown): unknown {
  return typeof message === "object" && message !== null ? Reflect.get(message, "from") : undefined;
}

/** @param callerId `null`: not known for certain, so that anybody may say anything */
function requireSender(said: unknown, callerId: string | null): void {
  if (callerId === null || said === callerId) return;
  throw new ExoError("unauthorized", `Node ${callerId} speaks in the name of another node: refused.`);
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

function callMethod(service: NodeService, method: string, value: unknown, signal: AbortSignal): Promise<unknown> {
  const { tokenize, detokenize, apply_template } = CALL_METHODS;
  switch (method) {
    case "tokenize":
      return service.tokenize(parse(tokenize.input, value, "A tokenize call", "invalid_argument"), signal);
    case "detokenize": {
      const { model, tokens } = parse(detokenize.input, value, "A detokenize call", "invalid_argument");
      return service.detokenize(model, tokens, signal);
    }
    case "apply_template": {
      const { model, prompt } = parse(apply_template.input, value, "An apply_template call", "invalid_argument");
      return service.applyTemplate(model, prompt, signal);
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
