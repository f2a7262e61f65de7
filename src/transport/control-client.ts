import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  connectivityState,
  type Metadata,
  type requestCallback,
  type ServiceError,
  status as Status,
} from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  TokenizeRequest,
} from "../core/inference.js";
import type { NodeTrace } from "../core/trace.js";
import type { BlockRun } from "../model/sparse/blocks.js";
import type { OfferedFile } from "../model/sparse/range-source.js";
import type { ModelSpeed } from "../planning/speeds.js";
import { type Caller, callerMetadata } from "./caller.js";
import { channelTarget } from "./channel-target.js";
import { ClusterChannel } from "./cluster-channel.js";
import { requireCompatible } from "./compatibility.js";
import { fromWireLoadEvent, nodeHelloSchema } from "./control-messages.js";
import type { TransportCredentials } from "./credentials.js";
import { checkEmbeddings, fromWireEmbedding } from "./embedding-messages.js";
import type { CallResponse__Output } from "./generated/exo/v1/CallResponse.js";
import type { DrainResponse__Output } from "./generated/exo/v1/DrainResponse.js";
import type { GossipResponse__Output } from "./generated/exo/v1/GossipResponse.js";
import type { HealthReport__Output } from "./generated/exo/v1/HealthReport.js";
import type { ModelHashes__Output } from "./generated/exo/v1/ModelHashes.js";
import type { ModelOffer__Output } from "./generated/exo/v1/ModelOffer.js";
import type { NodeHello__Output } from "./generated/exo/v1/NodeHello.js";
import type { PlaceModelResponse__Output } from "./generated/exo/v1/PlaceModelResponse.js";
import type { ProbeModelResponse__Output } from "./generated/exo/v1/ProbeModelResponse.js";
import type { ReadTracesResponse__Output } from "./generated/exo/v1/ReadTracesResponse.js";
import type { StopModelResponse__Output } from "./generated/exo/v1/StopModelResponse.js";
import type { UnloadStageResponse__Output } from "./generated/exo/v1/UnloadStageResponse.js";
import { CALL_METHODS, type CallMethod, inferenceEventSchema } from "./inference-schema.js";
import { bulkChannelOptions, controlChannelOptions } from "./limits.js";
import { fromWireHashes, fromWireOffer } from "./model-messages.js";
import type {
  LoadStageEvent,
  LoadStageRequest,
  NodeHealth,
  NodeHello,
  NodeService,
  PlaceModelOrder,
  ProbeModelRequest,
  StagePlace,
  StopModelOrder,
} from "./node-service.js";
import { parse } from "./parse.js";
import { packData, unpackData } from "./plain-data.js";
import { modelSpeedSchema } from "./probe-messages.js";
import { NodeStub } from "./proto.js";
import { fromGrpcStatus, isServiceError } from "./status-table.js";
import { nodeTracesSchema } from "./trace-messages.js";
import { unauthorized } from "./trust-refusal.js";

export interface ControlClientOptions {
  readonly peer: HostPort;
  readonly credentials: TransportCredentials;
  readonly caller: Caller;
  /** Deadlines of single calls; streams have none of their own: a dead peer is found by keepalive. */
  readonly deadlines?: Partial<ControlDeadlines>;
  /** For the bytes of models: much may be under way towards this node. */
  readonly bulk?: boolean;
}

export interface ControlDeadlines {
  /** Of several addresses some may lead nowhere, and a member must not seem alive for long after the last one failed. */
  readonly helloMs: number;
  readonly healthMs: number;
  readonly gossipMs: number;
  /** Unloading waits for the micro-batch under way. */
  readonly unloadMs: number;
  readonly callMs: number;
  /** A probe waits until the node is idle and other probes are done; its caller has a deadline of its own. */
  readonly probeMs: number;
}

const DEADLINES: ControlDeadlines = {
  helloMs: 2_000,
  healthMs: 2_000,
  gossipMs: 5_000,
  unloadMs: 30_000,
  callMs: 30_000,
  probeMs: 120_000,
};

interface UnaryOptions {
  readonly signal?: AbortSignal | undefined;
  /** It asks whether the peer is there, so that the peer's silence must not end it. */
  readonly isProbe?: boolean;
}

type StartUnary<Response> = (options: CallOptions, callback: requestCallback<Response>) => ClientUnaryCall;

/** A peer's `NodeService`, over one connection that is made with the first call and made again when it is lost. */
export class ControlClient implements NodeService {
  readonly #stub: InstanceType<typeof NodeStub>;
  readonly #channel: TransportCredentials["channel"];
  readonly #caller: Caller;
  readonly #metadata: Metadata;
  readonly #deadlines: ControlDeadlines;
  readonly #underWay = new Set<ClientUnaryCall>();
  /** Each ends one call or stream. */
  readonly #interrupts = new Set<(reason: ExoError) => void>();
  /** As sentences name it. */
  readonly #peer: string;

  constructor({ peer, credentials, caller, deadlines, bulk }: ControlClientOptions) {
    credentials.requireAllowed(peer.host);
    const options = { ...(bulk === true ? bulkChannelOptions : controlChannelOptions), ...credentials.channelOptions };
    this.#channel = credentials.channel;
    this.#stub = new NodeStub(channelTarget(peer), this.#channel, options);
    this.#caller = caller;
    this.#metadata = callerMetadata(caller);
    this.#deadlines = { ...DEADLINES, ...deadlines };
    this.#peer = `The node at ${formatHostPort(peer)}`;
  }

  async hello(own: NodeHello): Promise<NodeHello> {
    const message = { ...own, capabilities: [...own.capabilities] };
    const answer = await this.#unary<NodeHello__Output>(
      this.#deadlines.helloMs,
      (options, callback) => this.#stub.Hello(message, this.#metadata, options, callback),
      { isProbe: true },
    );
    const peer = parse(nodeHelloSchema, answer, `The hello of ${this.#peer}`, "peer_incompatible");
    requireCompatible(this.#caller, peer);
    this.#requireCertified(peer.nodeId);
    return peer;
  }

  async health(deadlineMs = this.#deadlines.healthMs): Promise<NodeHealth> {
    const { record, uptimeSeconds } = await this.#unary<HealthReport__Output>(
      deadlineMs,
      (options, callback) => this.#stub.Health({}, this.#metadata, options, callback),
      { isProbe: true },
    );
    return { record: unpackData(record, `The record of ${this.#peer}`, "peer_incompatible"), uptimeSeconds };
  }

  async gossip(message: unknown): Promise<unknown> {
    const request = { message: packData(message) };
    const answer = await this.#unary<GossipResponse__Output>(
      this.#deadlines.gossipMs,
      (options, callback) => this.#stub.Gossip(request, this.#metadata, options, callback),
      { isProbe: true },
    );
    return unpackData(answer.message, `The gossip of ${this.#peer}`, "peer_incompatible");
  }

  loadStage(request: LoadStageRequest, signal: AbortSignal): AsyncIterable<LoadStageEvent> {
    return this.#stream(
      () => this.#stub.LoadStage({ ...request, replaces: [...request.replaces] }, this.#metadata),
      (message) => fromWireLoadEvent(message, this.#peer),
      signal,
    );
  }

  async unloadStage(place: StagePlace, keep: boolean): Promise<void> {
    await this.#unary<UnloadStageResponse__Output>(this.#deadlines.unloadMs, (options, callback) =>
      this.#stub.UnloadStage({ place, keep }, this.#metadata, options, callback),
    );
  }

  async placeModel({ ringId, request, askedBy }: PlaceModelOrder): Promise<unknown> {
    const order = { ringId, request: packData(request), askedBy };
    const { ring } = await this.#unary<PlaceModelResponse__Output>(this.#deadlines.callMs, (options, callback) =>
      this.#stub.PlaceModel(order, this.#metadata, options, callback),
    );
    return unpackData(ring, `A ring of ${this.#peer}`, "peer_incompatible");
  }

  async stopModel(order: StopModelOrder): Promise<boolean> {
    const { stopped } = await this.#unary<StopModelResponse__Output>(this.#deadlines.unloadMs, (options, callback) =>
      this.#stub.StopModel(order, this.#metadata, options, callback),
    );
    return stopped;
  }

  async drain(draining: boolean): Promise<void> {
    await this.#unary<DrainResponse__Output>(this.#deadlines.callMs, (options, callback) =>
      this.#stub.Drain({ draining }, this.#metadata, options, callback),
    );
  }

  async readTraces(requestId: string | null): Promise<readonly NodeTrace[]> {
    const what = `The traces of ${this.#peer}`;
    const { traces } = await this.#unary<ReadTracesResponse__Output>(this.#deadlines.healthMs, (options, callback) =>
      this.#stub.ReadTraces({ requestId: requestId ?? "" }, this.#metadata, options, callback),
    );
    return parse(nodeTracesSchema, unpackData(traces, what, "peer_incompatible"), what, "peer_incompatible");
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    const what = `An answer of ${this.#peer}`;
    return this.#stream(
      () => this.#stub.Generate({ request: packData(request) }, this.#metadata),
      ({ event }) =>
        parse(inferenceEventSchema, unpackData(event, what, "peer_incompatible"), what, "peer_incompatible"),
      signal,
    );
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    const embeddings: Embedding[] = [];
    const events = this.#stream(
      () => this.#stub.Embed({ request: packData(request) }, this.#metadata),
      (event) => fromWireEmbedding(event, this.#peer),
      signal,
    );
    for await (const embedding of events) embeddings.push(embedding);
    return checkEmbeddings(embeddings, request.inputs.length, this.#peer);
  }

  async tokenize(request: TokenizeRequest, signal: AbortSignal): Promise<readonly number[]> {
    const tokens = await this.#call("tokenize", request, signal);
    return parse(CALL_METHODS.tokenize.output, tokens, "Tokens", "peer_incompatible");
  }

  async detokenize(model: string, tokens: readonly number[], signal: AbortSignal): Promise<string> {
    const text = await this.#call("detokenize", { model, tokens }, signal);
    return parse(CALL_METHODS.detokenize.output, text, "Text", "peer_incompatible");
  }

  async applyTemplate(model: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string> {
    const text = await this.#call("apply_template", { model, prompt }, signal);
    return parse(CALL_METHODS.apply_template.output, text, "A prompt", "peer_incompatible");
  }

  async probeModel(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    const what = `What ${this.#peer} measured`;
    const { speed } = await this.#unary<ProbeModelResponse__Output>(
      this.#deadlines.probeMs,
      (options, callback) => this.#stub.ProbeModel(request, this.#metadata, options, callback),
      { signal },
    );
    return parse(modelSpeedSchema, unpackData(speed, what, "peer_incompatible"), what, "peer_incompatible");
  }

  async offerModel(model: string): Promise<readonly OfferedFile[]> {
    const answer = await this.#unary<ModelOffer__Output>(this.#deadlines.callMs, (options, callback) =>
      this.#stub.OfferModel({ model }, this.#metadata, options, callback),
    );
    return fromWireOffer(answer, this.#peer);
  }

  async hashModel(
    fileId: string,
    { first, count }: BlockRun,
    signal: AbortSignal,
    doubted = false,
  ): Promise<readonly Buffer[]> {
    const request = { fileId, first, count, doubted };
    const answer = await this.#unary<ModelHashes__Output>(
      this.#deadlines.callMs,
      (options, callback) => this.#stub.HashModel(request, this.#metadata, options, callback),
      { signal },
    );
    return fromWireHashes(answer, this.#peer);
  }

  readModel(fileId: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#stream(
      () => this.#stub.ReadModel({ fileId, begin, end }, this.#metadata),
      ({ data }) => data,
      signal,
    );
  }

  interrupt(reason: ExoError): void {
    for (const interrupt of [...this.#interrupts]) interrupt(reason);
  }

  /** Ends single calls under way with `cancelled`, and takes no more; streams end by their own signal. */
  close(): void {
    for (const call of this.#underWay) call.cancel();
    this.#stub.close();
  }

  /** Where certificates tell nodes apart, a node speaks for itself alone. */
  #requireCertified(nodeId: string): void {
    if (!(this.#channel instanceof ClusterChannel) || this.#channel.isFor(nodeId)) return;
    throw unauthorized(`${this.#peer} says that it is node ${nodeId}, and shows the certificate of another one.`);
  }

  async #call(method: CallMethod, value: unknown, signal: AbortSignal): Promise<unknown> {
    const request = { method, arguments: packData(value) };
    const { result } = await this.#unary<CallResponse__Output>(
      this.#deadlines.callMs,
      (options, callback) => this.#stub.Call(request, this.#metadata, options, callback),
      { signal },
    );
    return unpackData(result, `The result of ${method}`, "peer_incompatible");
  }

  #unary<Response>(
    deadlineMs: number,
    start: StartUnary<Response>,
    { signal, isProbe = false }: UnaryOptions = {},
  ): Promise<Response> {
    if (signal?.aborted) return Promise.reject(this.#unasked());
    return new Promise((resolve, reject) => {
      const cancel = (): void => call.cancel();
      const interrupt = (reason: ExoError): void => {
        reject(reason);
        cancel();
      };
      if (!isProbe) this.#interrupts.add(interrupt);
      const call = start({ deadline: Date.now() + deadlineMs }, (error, response) => {
        this.#underWay.delete(call);
        this.#interrupts.delete(interrupt);
        signal?.removeEventListener("abort", cancel);
        if (error !== null) reject(this.#failure(error));
        else if (response !== undefined) resolve(response);
      });
      this.#underWay.add(call);
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Reads no faster than the loop asks. Leaving the loop, or the signal, cancels the call. */
  async *#stream<Message, Event>(
    start: () => ClientReadableStream<Message>,
    decode: (message: Message) => Event,
    signal: AbortSignal,
  ): AsyncGenerator<Event, void, undefined> {
    if (signal.aborted) throw this.#unasked();
    const call = start();
    // Also emitted when nobody reads any more, and then nobody may be surprised by it.
    call.on("error", () => {});
    const cancel = (): void => call.cancel();
    let interrupted: ExoError | null = null;
    const interrupt = (reason: ExoError): void => {
      interrupted = reason;
      cancel();
    };
    this.#interrupts.add(interrupt);
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const message of call) yield decode(message as Message);
    } catch (thrown) {
      throw interrupted ?? (isServiceError(thrown) ? this.#failure(thrown) : thrown);
    } finally {
      this.#interrupts.delete(interrupt);
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  #unasked(): ExoError {
    return new ExoError("cancelled", `${this.#peer} was not asked: the call was cancelled.`);
  }

  /** A deadline that passes before there is a connection says something else than a slow answer. */
  #failure(error: ServiceError): ExoError {
    const connected = this.#stub.getChannel().getConnectivityState(false) === connectivityState.READY;
    if (error.code === Status.DEADLINE_EXCEEDED && !connected) {
      return new ExoError("peer_unreachable", `${this.#peer} did not accept a connection in time.`, { cause: error });
    }
    return fromGrpcStatus(error, this.#peer);
  }
}
