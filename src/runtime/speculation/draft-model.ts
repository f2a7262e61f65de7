import { ExoError } from "../../core/errors.js";
import type { Clock, Logger } from "../../core/ports.js";
import { fadingAverage } from "../../core/statistics.js";
import type { Sampler } from "../../native/sampler.js";
import type { Stage, StageMemory } from "../../native/stage.js";
import { commonLength } from "../cached-tokens.js";
import { RingBatchBuilder } from "../micro-batch.js";
import type { Drafter, ModelDraft } from "./model-draft.js";

export interface DraftModelOptions {
  /** A whole model with the target's vocabulary and as many sequences. */
  readonly stage: Stage;
  /** The same, looked after. Default: the stage alone. */
  readonly computing?: Pick<Stage, "decode">;
  /** Rows in one decode. */
  readonly batchSize: number;
  /** The target's: larger ids mean nothing to it. */
  readonly vocabularySize: number;
  /** Less sure of a token than this, the model drafts no further. */
  readonly leastProbability: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A sequence that is being drafted for. */
interface Active {
  readonly sequence: number;
  /** The sequence and what is drafted so far. */
  readonly tokens: number[];
  readonly count: number;
  readonly drafted: number[];
  readonly probabilities: number[];
  readonly begun: number;
  readonly onDone: (draft: ModelDraft, seconds: number) => void;
}

const WEIGHT_OF_NEW = 0.2;
/** One after the other: a model that fails so often will go on failing. */
const MOST_FAILURES = 3;
const NOTHING: ModelDraft = { tokens: [], probabilities: [] };

/**
 * A small model on the head that drafts for the ring's sequences, each under its own number in a KV cache of its own. A
 * cache is set right when a draft is asked for: what it holds beyond the tokens both have in common, rejected drafts
 * above all, is removed, and what it lacks is computed. Sequences drafted for at the same time share its micro-batches.
 */
export class DraftModel implements Drafter {
  readonly #options: DraftModelOptions;
  readonly #sampler: Sampler;
  /** Sequence → the tokens in its KV cache. */
  readonly #known = new Map<number, number[]>();
  readonly #active = new Map<number, Active>();
  #settled: () => void = () => {};
  #running = false;
  /** Rounds that failed since one did not. */
  #failures = 0;
  #retired = false;
  #secondsPerToken = 0;
  #secondsPerRow = 0;

  private constructor(options: DraftModelOptions) {
    this.#options = options;
    // Without penalties and grammar a greedy sampler is the same for every sequence.
    this.#sampler = options.stage.createSampler({ temperature: 0 });
  }

  /** Measures the model on a few tokens before it is used. */
  static async open(options: DraftModelOptions): Promise<DraftModel> {
    const model = new DraftModel(options);
    await model.#warmUp();
    return model;
  }

  get secondsPerToken(): number {
    return this.#secondsPerToken;
  }

  get secondsPerRow(): number {
    return this.#secondsPerRow;
  }

  behind(sequence: number, tokens: readonly number[]): number {
    return tokens.length - commonLength(this.#known.get(sequence) ?? [], tokens);
  }

  draft(
    sequence: number,
    tokens: readonly number[],
    count: number,
    onDone: (draft: ModelDraft, seconds: number) => void,
  ): void {
    this.cancel(sequence);
    const { info } = this.#options.stage;
    const room = info.contextSize - tokens.length;
    const foreign = tokens.some((token) => token >= info.vocabularySize);
    if (this.#retired || room < 1 || foreign || tokens.length === 0) {
      onDone(NOTHING, 0);
      return;
    }
    const begun = this.#options.clock.monotonic();
    const most = Math.min(count, room);
    const active = { sequence, tokens: [...tokens], count: most, drafted: [], probabilities: [], begun, onDone };
    this.#active.set(sequence, active);
    void this.#run();
  }

  cancel(sequence: number): void {
    const active = this.#active.get(sequence);
    if (active === undefined) return;
    this.#active.delete(sequence);
    active.onDone(NOTHING, 0);
  }

  onSettled(listener: () => void): void {
    this.#settled = listener;
  }

  memory(): StageMemory {
    return this.#options.stage.memory();
  }

  async close(): Promise<void> {
    for (const sequence of [...this.#active.keys()]) this.cancel(sequence);
    this.#sampler.close();
    await this.#options.stage.close();
  }

  async #warmUp(): Promise<void> {
    const tokens = Array.from({ length: Math.min(32, this.#options.batchSize) }, (_, index) => 3 + index);
    await new Promise<void>((resolve) => this.draft(0, tokens, 1, () => resolve()));
    await new Promise<void>((resolve) => this.draft(0, [...tokens, 3], 1, () => resolve()));
  }

  /** Rounds until nothing is left to draft; one at a time. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#active.size > 0) {
        const actives = [...this.#active.values()];
        try {
          await this.#round(actives);
          this.#failures = 0;
        } catch (thrown) {
          this.#failed(actives, ExoError.from(thrown));
        }
        this.#settled();
      }
    } finally {
      this.#running = false;
    }
  }

  #failed(actives: readonly Active[], error: ExoError): void {
    const { logger } = this.#options;
    logger.warn({ code: error.code, error: error.message }, "the draft model failed");
    this.#failures += 1;
    this.#retired = error.code === "stage_lost" || this.#failures === MOST_FAILURES;
    if (this.#retired) logger.error({ code: error.code }, "no more drafts by the draft model: it will go on failing");
    for (const active of this.#retired ? [...this.#active.values()] : actives) {
      this.#known.delete(active.sequence);
      this.#finish(active);
    }
  }

  async #round(actives: readonly Active[]): Promise<void> {
    const builder = new RingBatchBuilder(this.#options.batchSize);
    const sampled = actives.filter((active) => this.#addRows(builder, active));
    const batch = builder.build();
    const { stage, computing = stage } = this.#options;
    const result = await computing.decode(batch);
    this.#learn(batch.rowCount, sampled.length, result.computeSeconds);
    for (const [index, active] of sampled.entries()) {
      const sample = result.samples[index]?.[0];
      if (sample === undefined || sample instanceof ExoError || sample.isEndOfGeneration) this.#finish(active);
      else this.#take(active, sample.token, Math.exp(sample.logprob ?? Number.NEGATIVE_INFINITY));
    }
  }

  /** Adds what the sequence's cache lacks, as far as there is room; whether its last token was added and is sampled. */
  #addRows(builder: RingBatchBuilder, { sequence, tokens }: Active): boolean {
    const known = this.#known.get(sequence);
    // The last token is computed in any case, for what follows it.
    const shared = Math.min(commonLength(known ?? [], tokens), tokens.length - 1);
    if (known === undefined || known.length > shared) {
      builder.addKvOperation({ op: "remove", sequence, from: shared, to: null });
    }
    const rows = tokens.slice(shared, shared + builder.rowsLeft);
    const end = shared + rows.length;
    for (const [offset, token] of rows.entries()) {
      const last = shared + offset === tokens.length - 1;
      builder.addRow(sequence, shared + offset, token, last ? { sampler: this.#sampler, logprobs: 1 } : null);
    }
    this.#known.set(sequence, tokens.slice(0, end));
    return end === tokens.length;
  }

  #take(active: Active, token: number, probability: number): void {
    const { leastProbability, vocabularySize } = this.#options;
    const sure = probability >= leastProbability && token < vocabularySize;
    if (sure) {
      active.drafted.push(token);
      active.probabilities.push(probability);
      active.tokens.push(token);
    }
    if (!sure || active.drafted.length === active.count) this.#finish(active);
  }

  #finish(active: Active): void {
    const { sequence, drafted, probabilities, begun } = active;
    if (this.#active.get(sequence) !== active) return;
    this.#active.delete(sequence);
    active.onDone({ tokens: drafted, probabilities }, (this.#options.clock.monotonic() - begun) / 1000);
  }

  #learn(rows: number, sampled: number, seconds: number): void {
    if (rows === sampled) this.#secondsPerToken = fadingAverage(this.#secondsPerToken, seconds, WEIGHT_OF_NEW);
    else this.#secondsPerRow = fadingAverage(this.#secondsPerRow, seconds / rows, WEIGHT_OF_NEW);
  }
}
