import type { PlacedModel } from "../cluster/placed-model.js";
import { answersTo } from "../cluster/ring-record.js";
import { ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
} from "../core/inference.js";
import type { Engine } from "./engine.js";
import type { RingHead } from "./ring-head.js";

/** The models whose head is this node. */
export class LocalRings implements InferenceService {
  readonly #placed = new Set<PlacedModel<RingHead>>();

  add(placed: PlacedModel<RingHead>): void {
    this.#placed.add(placed);
  }

  list(): readonly PlacedModel<RingHead>[] {
    return [...this.#placed];
  }

  has(model: string): boolean {
    return this.#find(model) !== undefined;
  }

  generate(request: InferenceRequest, signal: AbortSignal): AsyncIterable<InferenceEvent> {
    return this.#engineOf(request.model).generate(request, signal);
  }

  async tokenize(request: TokenizeRequest): Promise<readonly number[]> {
    return this.#engineOf(request.model).tokenize(request.text, request.addSpecial, request.parseSpecial);
  }

  async detokenize(model: string, tokens: readonly number[]): Promise<string> {
    return this.#engineOf(model).detokenize(tokens);
  }

  async applyTemplate(model: string, prompt: ChatPrompt): Promise<string> {
    return this.#engineOf(model).applyTemplate(prompt);
  }

  async stop(): Promise<void> {
    await Promise.all(this.list().map((placed) => placed.stop()));
  }

  #find(model: string): PlacedModel<RingHead> | undefined {
    return this.list().find((placed) => answersTo(placed.record(), model));
  }

  #engineOf(model: string): Engine {
    const placed = this.#find(model);
    if (placed === undefined) {
      throw new ExoError("model_not_found", `This node is not the head of ${JSON.stringify(model.slice(0, 200))}.`, {
        param: "model",
      });
    }
    const { head } = placed;
    if (head !== null) return head.engine;
    const { state, reason } = placed.record();
    const why = reason ?? (state === "loading" ? "it is being loaded" : `it is ${state}`);
    throw new ExoError("not_ready", `${model} cannot answer now: ${why.replace(/\.$/, "")}.`);
  }
}
