import type { FoundRing } from "../cluster/found-rings.js";
import { type ErrorCode, ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
} from "../core/inference.js";
import { RouteTrace } from "./tracing/route-trace.js";
import type { TraceBuffer } from "./tracing/trace-buffer.js";
import { waitAtMost } from "./wait-limit.js";

/** The rings of the cluster; `ModelManager`. */
export interface RingDirectory {
  ensure(name: string, signal: AbortSignal): Promise<string>;
  serving(name: string): readonly FoundRing[];
}

/** A ring that says so before its first token has computed nothing; another one may be able to. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "overloaded",
  "not_ready",
  "model_not_found",
  "stage_lost",
  "stale_epoch",
  "peer_unreachable",
]);

/** Texts are cut up and put together by a loaded model; for one that takes longer to load nobody is made to wait. */
const LONGEST_TEXT_MS = 30 * 60_000;

/**
 * Answers for every model of the cluster, loaded or still to be: here when this node is the head of its ring, else through
 * that head; where several rings have the model, by the one with least to do.
 */
export class Router implements InferenceService {
  readonly #local: InferenceService;
  readonly #directory: RingDirectory;
  readonly #refresh: (nodeId: string) => void;
  readonly #traces: TraceBuffer | null;
  /** Requests of this node under way, by ring: heads tell of theirs only now and then. */
  readonly #underWay = new Map<string, number>();

  /** @param refresh asks a node what it has to tell, before it would tell by itself */
  constructor(
    local: InferenceService,
    directory: RingDirectory,
    refresh: (nodeId: string) => void = () => {},
    traces: TraceBuffer | null = null,
  ) {
    this.#local = local;
    this.#directory = directory;
    this.#refresh = refresh;
    this.#traces = traces;
  }

  async *generate(request: InferenceRequest, signal: AbortSignal): AsyncGenerator<InferenceEvent, void, void> {
    const trace = new RouteTrace(this.#traces, request);
    const refused = new Set<string>();
    let wasStarted = false;
    try {
      for (;;) {
        const begun = trace.now();
        const target = await this.#choose(request.model, signal, refused);
        trace.routed(begun, target);
        const asked = trace.now();
        let answered = false;
        try {
          for await (const event of this.#through(target, request, signal)) {
            if (event.type !== "started") answered = true;
            else if (wasStarted) continue;
            wasStarted = true;
            yield event;
          }
          return;
        } catch (thrown) {
          this.#refused(ExoError.from(thrown), target, request.model, refused, answered || signal.aborted);
        } finally {
          trace.asked(asked, target);
        }
      }
    } finally {
      trace.end();
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    const refused = new Set<string>();
    for (;;) {
      const target = await this.#choose(request.model, signal, refused);
      const { ring, client } = target;
      this.#count(ring.id, 1);
      try {
        return await (client ?? this.#local).embed({ ...request, model: ring.spec }, signal);
      } catch (thrown) {
        this.#refused(ExoError.from(thrown), target, request.model, refused, signal.aborted);
      } finally {
        this.#count(ring.id, -1);
      }
    }
  }

  tokenize(request: TokenizeRequest, signal: AbortSignal): Promise<readonly number[]> {
    return this.#withText(request.model, signal, (service, model, bounded) =>
      service.tokenize({ ...request, model }, bounded),
    );
  }

  detokenize(name: string, tokens: readonly number[], signal: AbortSignal): Promise<string> {
    return this.#withText(name, signal, (service, model, bounded) => service.detokenize(model, tokens, bounded));
  }

  applyTemplate(name: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string> {
    return this.#withText(name, signal, (service, model, bounded) => service.applyTemplate(model, prompt, bounded));
  }

  async *#through(
    { ring, client, head }: FoundRing,
    request: InferenceRequest,
    signal: AbortSignal,
  ): AsyncGenerator<InferenceEvent, void, void> {
    this.#count(ring.id, 1);
    try {
      // Its head may have another model of the same name.
      yield* (client ?? this.#local).generate({ ...request, model: ring.spec }, signal);
    } finally {
      this.#count(ring.id, -1);
      // Or its slots would still be told to be busy for a while.
      if (client !== null && !this.#underWay.has(ring.id)) this.#refresh(head);
    }
  }

  #withText<Result>(
    name: string,
    signal: AbortSignal,
    work: (service: InferenceService, model: string, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const otherwise = (): string => `${name} was not ready within ${LONGEST_TEXT_MS / 60_000} minutes.`;
    return waitAtMost({ milliseconds: LONGEST_TEXT_MS, signal, otherwise }, async (bounded) => {
      const { ring, client } = await this.#choose(name, bounded, new Set());
      return work(client ?? this.#local, ring.spec, bounded);
    });
  }

  /** The ready ring with least to do, this node's own among equals; waits for one that is loaded on demand. */
  async #choose(model: string, signal: AbortSignal, refused: ReadonlySet<string>): Promise<FoundRing> {
    for (;;) {
      await this.#directory.ensure(model, signal);
      const ready = this.#ready(model);
      const open = ready.filter(({ ring }) => !refused.has(ring.id));
      const [best] = (open.length > 0 ? open : ready).toSorted(
        (a, b) => this.#loadOf(a) - this.#loadOf(b) || Number(a.client !== null) - Number(b.client !== null),
      );
      if (best !== undefined) return best;
    }
  }

  /** Notes that a ring refused a request; throws the reason when there is no other to ask, or no use in asking. */
  #refused(error: ExoError, { ring }: FoundRing, model: string, refused: Set<string>, isOver: boolean): void {
    refused.add(ring.id);
    if (isOver || !REFUSALS.has(error.code) || !this.#hasOther(model, refused)) throw error;
  }

  #hasOther(model: string, refused: ReadonlySet<string>): boolean {
    return this.#ready(model).some(({ ring }) => !refused.has(ring.id));
  }

  #ready(model: string): readonly FoundRing[] {
    return this.#directory.serving(model).filter(({ ring }) => ring.state === "ready");
  }

  #loadOf({ ring }: FoundRing): number {
    return Math.max(ring.busySlots + ring.waitingRequests, this.#underWay.get(ring.id) ?? 0);
  }

  #count(ringId: string, change: 1 | -1): void {
    const count = (this.#underWay.get(ringId) ?? 0) + change;
    if (count > 0) this.#underWay.set(ringId, count);
    else this.#underWay.delete(ringId);
  }
}
