import type { Membership } from "../cluster/membership.js";
import type { ModelManager } from "../cluster/model-manager.js";
import { parseModelRequest } from "../cluster/model-request.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  TokenizeRequest,
} from "../core/inference.js";
import type { Clock } from "../core/ports.js";
import type { NodeTrace } from "../core/trace.js";
import type { BlockRun } from "../model/sparse/blocks.js";
import type { OfferedFile } from "../model/sparse/range-source.js";
import type { ServedModels } from "../model/supply/served-models.js";
import type { ModelSpeed } from "../planning/speeds.js";
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
} from "../transport/node-service.js";
import type { LocalRings } from "./local-rings.js";
import type { RingHead } from "./ring-head.js";
import type { StageHost } from "./stage-host.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";

export interface PeerServiceOptions {
  readonly hello: () => NodeHello;
  readonly record: () => NodeRecord;
  readonly membership: Membership;
  readonly stages: StageHost;
  readonly rings: LocalRings;
  readonly speeds: { speed(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> };
  /** What peers may read of this node's models. */
  readonly served: ServedModels;
  readonly models: Pick<ModelManager<RingHead>, "placeHere" | "stopHere">;
  readonly setDraining: (draining: boolean) => void;
  readonly traces: Pick<TraceBuffer, "find" | "list">;
  readonly clock: Clock;
}

/** What this node does for its peers. Requests are answered here or not at all: they were routed by who sent them. */
export class PeerService implements NodeService {
  readonly #options: PeerServiceOptions;
  readonly #startedAt: number;

  constructor(options: PeerServiceOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  async hello(peer: NodeHello, from: HostPort): Promise<NodeHello> {
    await this.#options.membership.introduced(peer, from);
    return this.#options.hello();
  }

  async health(): Promise<NodeHealth> {
    const uptimeSeconds = (this.#options.clock.monotonic() - this.#startedAt) / 1000;
    return { record: this.#options.record(), uptimeSeconds };
  }

  gossip(message: unknown): Promise<unknown> {
    return this.#options.membership.gossip(message);
  }

  loadStage(request: LoadStageRequest, signal: AbortSignal): AsyncIterable<LoadStageEvent> {
    return this.#options.stages.load(request, signal);
  }

  unloadStage(place: StagePlace, keep: boolean): Promise<void> {
    return this.#options.stages.unload(place, keep);
  }

  async drain(draining: boolean): Promise<void> {
    this.#options.setDraining(draining);
  }

  probeModel(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    return this.#options.speeds.speed(request, signal);
  }

  offerModel(model: string): Promise<readonly OfferedFile[]> {
    return this.#options.served.offer(model);
  }

  hashModel(fileId: string, run: BlockRun, signal: AbortSignal, doubted: boolean): Promise<readonly Buffer[]> {
    return this.#options.served.hashes(fileId, run, signal, doubted);
  }

  readModel(fileId: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#options.served.read(fileId, begin, end, signal);
  }

  async placeModel({ ringId, request, askedBy }: PlaceModelOrder): Promise<unknown> {
    return this.#options.models.placeHere(ringId, parseModelRequest(request), askedBy);
  }

  stopModel(order: StopModelOrder): Promise<boolean> {
    return this.#options.models.stopHere(order);
  }

  async readTraces(requestId: string | null): Promise<readonly NodeTrace[]> {
    const { traces } = this.#options;
    if (requestId === null) return traces.list();
    const trace = traces.find(requestId);
    return trace === null ? [] : [trace];
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    return this.#options.rings.generate(request, signal);
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    return this.#options.rings.embed(request, signal);
  }

  tokenize(request: TokenizeRequest, signal: AbortSignal): Promise<readonly number[]> {
    return this.#options.rings.tokenize(request, signal);
  }

  detokenize(model: string, tokens: readonly number[], signal: AbortSignal): Promise<string> {
    return this.#options.rings.detokenize(model, tokens, signal);
  }

  applyTemplate(model: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string> {
    return this.#options.rings.applyTemplate(model, prompt, signal);
  }
}
