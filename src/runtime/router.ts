import type { Membership } from "../cluster/membership.js";
import { answersTo } from "../cluster/ring-record.js";
import { ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
} from "../core/inference.js";
import type { LocalRings } from "./local-rings.js";

/** Answers for every model of the cluster: here when this node is the head of its ring, else through that head. */
export class Router implements InferenceService {
  readonly #local: LocalRings;
  readonly #membership: Pick<Membership, "alive">;

  constructor(local: LocalRings, membership: Pick<Membership, "alive">) {
    this.#local = local;
    this.#membership = membership;
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    return this.#serviceOf(request.model).generate(request, signal);
  }

  async tokenize(request: TokenizeRequest): Promise<readonly number[]> {
    return this.#serviceOf(request.model).tokenize(request);
  }

  async detokenize(model: string, tokens: readonly number[]): Promise<string> {
    return this.#serviceOf(model).detokenize(model, tokens);
  }

  async applyTemplate(model: string, prompt: ChatPrompt): Promise<string> {
    return this.#serviceOf(model).applyTemplate(model, prompt);
  }

  #serviceOf(model: string): InferenceService {
    if (this.#local.has(model)) return this.#local;
    const remote = this.#membership
      .alive()
      .flatMap((member) => member.record.rings.map((ring) => ({ ring, client: member.client })))
      .filter(({ ring }) => answersTo(ring, model));
    const ready = remote.find(({ ring }) => ring.state === "ready") ?? remote[0];
    if (ready !== undefined) return ready.client;
    throw new ExoError("model_not_found", `No node here runs ${JSON.stringify(model.slice(0, 200))}.`, {
      param: "model",
    });
  }
}
