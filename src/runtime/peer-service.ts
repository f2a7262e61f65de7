import type { Membership } from "../cluster/membership.js";
import type { NodeRecord } from "../cluster/node-record.js";
import type { HostPort } from "../config/address.js";
import type { ChatPrompt, InferenceEvent, InferenceRequest, TokenizeRequest } from "../core/inference.js";
import type { Clock } from "../core/ports.js";
import type { ModelSpeed } from "../planning/speeds.js";
import type {
  LoadStageEvent,
  LoadStageRequest,
  NodeHealth,
  NodeHello,
  NodeService,
  ProbeModelRequest,
  StagePlace,
} from "../transport/node-service.js";
import type { LocalRings } from "./local-rings.js";
import type { StageHost } from "./stage-host.js";

export interface PeerServiceOptions {
  readonly hello: () => NodeHello;
  readonly record: () => NodeRecord;
  readonly membership: Membership;
  readonly stages: StageHost;
  readonly rings: LocalRings;
  readonly speeds: { speed(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> };
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

  unloadStage(place: StagePlace): Promise<void> {
    return this.#options.stages.unload(place);
  }

  probeModel(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    return this.#options.speeds.speed(request, signal);
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    return this.#options.rings.generate(request, signal);
  }

  tokenize(request: TokenizeRequest): Promise<readonly number[]> {
    return this.#options.rings.tokenize(request);
  }

  detokenize(model: string, tokens: readonly number[]): Promise<string> {
    return this.#options.rings.detokenize(model, tokens);
  }

  applyTemplate(model: string, prompt: ChatPrompt): Promise<string> {
    return this.#options.rings.applyTemplate(model, prompt);
  }
}
