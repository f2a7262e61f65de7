import type { PlacedModel } from "../cluster/placed-model.js";
import { answersTo } from "../cluster/ring-record.js";
import { ExoError } from "../core/errors.js";
import type {
  ChatPrompt,
  Embedding,
  EmbedRequest,
  InferenceEvent,
  InferenceRequest,
  InferenceService,
  TokenizeRequest,
} from "../core/inference.js";
import type { Engine } from "./engine.js";
import type { RingHead } from "./ring-head.js";

/** Answers for the models whose head is this node. */
export class LocalRings implements InferenceService {
  readonly #list: () => readonly PlacedModel<RingHead>[];

  constructor(list: () => readonly PlacedModel<RingHead>[]) {
    this.#list = list;
  }

  list(): readonly PlacedModel<RingHead>[] {
    return this.#list();
  }

  async *generate(request: InferenceRequest, signal: AbortSignal): AsyncGenerator<InferenceEvent, void, void> {
    const placed = this.#find(request.model);
    const end = await placed.usage.begin(signal);
    try {
      yield* engineOf(placed).generate(request, signal);
    } finally {
      end();
    }
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<readonly Embedding[]> {
    const placed = this.#find(request.model);
    const end = await placed.usage.begin(signal);
    try {
      return await engineOf(placed).embed(request, signal);
    } finally {
      end();
    }
  }

  tokenize(
    { model, text, addSpecial, parseSpecial }: TokenizeRequest,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    return this.#use(model, signal, (engine) => engine.tokenize(text, addSpecial, parseSpecial));
  }

  detokenize(model: string, tokens: readonly number[], signal: AbortSignal): Promise<string> {
    return this.#use(model, signal, (engine) => engine.detokenize(tokens));
  }

  applyTemplate(model: string, prompt: ChatPrompt, signal: AbortSignal): Promise<string> {
    return this.#use(model, signal, (engine) => engine.applyTemplate(prompt));
  }

  async #use<Result>(model: string, signal: AbortSignal, work: (engine: Engine) => Result): Promise<Result> {
    const placed = this.#find(model);
    const end = await placed.usage.begin(signal);
    try {
      if (signal.aborted) throw new ExoError("cancelled", "The text is no longer wanted.");
      return work(engineOf(placed));
    } finally {
      end();
    }
  }

  /** One that can answer, if there is one. */
  #find(model: string): PlacedModel<RingHead> {
    const named = this.#list().filter((placed) => answersTo(placed.record(), model));
    const placed = named.find(({ head }) => head !== null) ?? named[0];
    if (placed !== undefined) return placed;
    throw new ExoError("model_not_found", `This node is not the head of ${JSON.stringify(model.slice(0, 200))}.`, {
      param: "model",
    });
  }
}

function engineOf(placed: PlacedModel<RingHead>): Engine {
  const { head } = placed;
  if (head !== null) return head.engine;
  const { model, state, reason } = placed.record();
  const why = reason ?? (state === "loading" ? "it is being loaded" : `it is ${state}`);
  throw new ExoError("not_ready", `${model} cannot answer now: ${why.replace(/\.$/, "")}.`);
}
