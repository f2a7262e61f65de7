import { ExoError } from "../../core/errors.js";
import type { Clock } from "../../core/ports.js";
import type { LayerSpeed, ModelSpeed, PassTime } from "../../planning/speeds.js";
import { assembleSpeed, rising } from "./assemble-speed.js";
import { type LayerKinds, layerKinds } from "./layer-kinds.js";
import { writeProbeFile } from "./probe-file.js";
import { type ProbeModel, tensorsOf } from "./probe-model.js";
import { type LayerRange, type ProbePlan, planProbe } from "./probe-plan.js";
import { type ProbeSettings, ProbeStages } from "./probe-stages.js";
import { MOST_REPEATS, ownSeconds, rowCounts, type TimedPass, timePass, timeRows } from "./time-passes.js";
import type { TimedStage } from "./timed-stage.js";

export interface DeviceProbeOptions {
  readonly model: ProbeModel;
  readonly settings: ProbeSettings;
  /** Bytes that the probe may take. */
  readonly memory: number;
  /** Weights that are certainly not in a cache of the processors. */
  readonly cacheBytes: number;
  /** Where the file with the holes is made. */
  readonly directory: string;
  /** Called before each pass; throws when the probe has to make way. */
  readonly checkpoint: () => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What was measured. */
export interface ProbedSpeed {
  readonly speed: ModelSpeed;
  /** Some of it only while other programs had the cores: too slow by as much as they took. */
  readonly disturbed: boolean;
}

/** A probe that takes longer, on a slow machine or one with much other work, measures only what it must from then on. */
const BUDGET_MS = 8_000;
/** In all, for passes that are repeated because others had the cores. */
const PATIENCE_SECONDS = 2;
/** Tokens in the cache where it is told how much they cost, if they can be computed in so many seconds. */
const DEPTH = 1024;
const FILL_SECONDS = 1;
/** Fewer tokens make no difference that can be told from noise. */
const LEAST_DEPTH = 128;
/** Passes are made longer only as long as the next one is expected to take no more than this. */
const LONGEST_PASS = 2;
const LONGEST_WINDOW_PASS = 0.06;
/** A head samples few rows of a micro-batch. */
const OUTPUT_ROWS = 32;
/** Part of the memory that a probe leaves to others. */
const WINDOW_MEMORY = 0.5;

/**
 * Measures what the parts of a model take on this node, with the threads, devices and kernels that a stage would have, on
 * a file with the model's header and holes for weights. Leaves nothing behind, whatever happens.
 */
export async function probeDevice(options: DeviceProbeOptions): Promise<ProbedSpeed> {
  const { model, directory, settings, memory, cacheBytes, signal } = options;
  const kinds = layerKinds(tensorsOf(model), model.info.layerCount);
  const plan = planProbe(kinds, cacheBytes, (bytes) => bytes <= memory * WINDOW_MEMORY);
  const file = await writeProbeFile(model, layersOf(plan), directory);
  const stages = new ProbeStages({ model, path: file.path, settings, memory, signal });
  try {
    return await new DeviceProbe(options, kinds, plan, stages).run();
  } finally {
    await stages.close();
    await file.remove();
  }
}

function layersOf({ kinds, window }: ProbePlan): ReadonlySet<number> {
  const alone = kinds.flatMap((kind) => ("layer" in kind ? kind.layer : []));
  const together =
    window === null ? [] : Array.from({ length: window.end - window.begin }, (_, at) => window.begin + at);
  return new Set([...alone, ...together]);
}

/** Seconds that a cached token adds to a row, in passes of few rows and of many. */
interface PerCachedToken {
  readonly few: number;
  readonly many: number;
}

interface TimedWindow {
  readonly range: LayerRange;
  readonly stage: TimedStage;
  readonly passes: readonly PassTime[];
}

class DeviceProbe {
  readonly #options: DeviceProbeOptions;
  readonly #kinds: LayerKinds;
  readonly #plan: ProbePlan;
  readonly #stages: ProbeStages;
  readonly #counts: readonly number[];
  readonly #begun: number;
  /** Seconds. */
  #patience = PATIENCE_SECONDS;
  #disturbed = false;

  constructor(options: DeviceProbeOptions, kinds: LayerKinds, plan: ProbePlan, stages: ProbeStages) {
    this.#options = options;
    this.#kinds = kinds;
    this.#plan = plan;
    this.#stages = stages;
    const { texts, contextTrained } = options.model.info;
    const { microBatchSize } = options.settings;
    // Where texts are read whole there may be no positions behind the longest.
    this.#counts = rowCounts(texts.wholeTexts ? Math.min(microBatchSize, contextTrained) : microBatchSize);
    this.#begun = options.clock.monotonic();
  }

  async run(): Promise<ProbedSpeed> {
    try {
      return this.#told(await this.#inParts());
    } catch (thrown) {
      // A model that cannot be cut at all.
      if (ExoError.from(thrown).code !== "unsupported") throw thrown;
      await this.#stages.close();
      return this.#told(await this.#whole());
    }
  }

  async #inParts(): Promise<ModelSpeed> {
    const window = await this.#timeWindow();
    const output = await this.#timeOutput(window);
    if (window !== null) await this.#stages.release(window.stage);
    const alone: (LayerSpeed | null)[] = [];
    for (const kind of this.#plan.kinds) alone.push("layer" in kind ? await this.#timeLayer(kind.layer) : null);
    const times = { kinds: this.#kinds, plan: this.#plan, alone, window, output };
    return assembleSpeed(times, { outputBytes: this.#outputBytes() });
  }

  async #timeWindow(): Promise<TimedWindow | null> {
    const { window } = this.#plan;
    if (window === null) return null;
    const rows = Math.min(128, this.#mostRows());
    const wish = { ...window, hasOutput: false, context: rows, rows };
    const stage = await this.#stages.load(wish).catch((thrown: unknown) => {
      // Of where a range may begin single layers tell more; and without memory for several there may be some for one.
      if (["unsupported", "out_of_memory"].includes(ExoError.from(thrown).code)) return null;
      throw thrown;
    });
    if (stage === null) return null;
    const counts = this.#counts.filter((count) => count <= rows);
    return { range: window, stage, passes: await this.#timeRows(stage, counts, () => LONGEST_WINDOW_PASS) };
  }

  /** Between two passes of the output head others compute, so its weights are never in a cache. */
  async #timeOutput(window: TimedWindow | null): Promise<readonly PassTime[] | null> {
    const { layerCount } = this.#options.model.info;
    const rows = Math.min(OUTPUT_ROWS, this.#mostRows());
    const wish = { begin: layerCount, end: layerCount, hasOutput: true, context: rows, rows };
    const stage = await this.#stages.load(wish).catch((thrown: unknown) => {
      if (ExoError.from(thrown).code === "out_of_memory") return null;
      throw thrown;
    });
    if (stage === null) return null;
    const pass = async (count: number): Promise<TimedPass> => {
      await window?.stage.pass(1, 0);
      return this.#pass(stage, count, 0);
    };
    const times = await timeRows(
      (count) => this.#time(() => pass(count)),
      this.#counts.filter((count) => count <= rows),
      () => this.#longestPass(),
    );
    await this.#stages.release(stage);
    return times;
  }

  async #timeLayer(layer: number): Promise<LayerSpeed> {
    const rows = this.#mostRows();
    const { stage, share } = await this.#loadLayer(layer, rows);
    const passes = await this.#timeRows(stage, this.#counts, () => this.#longestPass());
    const perToken = await this.#timeDepth(stage, layer, passes);
    await this.#stages.release(stage);
    return {
      passes: passes.map((pass) => ({ ...pass, seconds: pass.seconds * share })),
      perCachedToken: perToken.few * share,
      perCachedTokenOfMany: perToken.many * share,
    };
  }

  /** Where a range may not begin at this layer it begins at the next lower one that may; weights then tell the share. */
  async #loadLayer(layer: number, rows: number): Promise<{ readonly stage: TimedStage; readonly share: number }> {
    for (let begin = layer; ; begin -= 1) {
      const wish = { begin, end: layer + 1, hasOutput: false, context: DEPTH + MOST_REPEATS + rows, rows };
      try {
        const stage = await this.#stages.load(wish);
        return { stage, share: this.#bytes(layer, layer + 1) / this.#bytes(begin, layer + 1) };
      } catch (thrown) {
        if (ExoError.from(thrown).code !== "unsupported" || begin === 0) throw thrown;
      }
    }
  }

  /** Seconds that each cached token adds to a row. */
  async #timeDepth(stage: TimedStage, layer: number, passes: readonly PassTime[]): Promise<PerCachedToken> {
    const [single] = passes;
    const largest = passes.at(-1);
    const depth = largest === undefined ? 0 : this.#depth(layer, largest);
    if (single === undefined || largest === undefined || depth < LEAST_DEPTH) return { few: 0, many: 0 };
    const many = await this.#fill(stage, largest, depth);
    let position = depth;
    const deep = await this.#time(() => this.#pass(stage, 1, position++));
    const few = Math.max(0, deep - single.seconds) / depth;
    return { few, many: Math.min(few, many) };
  }

  /** Tokens behind which a pass is timed; 0: that tells nothing, or takes too long. */
  #depth(layer: number, { rows, seconds }: PassTime): number {
    const { layerState, texts } = this.#options.model.info;
    if (texts.wholeTexts || layerState[layer]?.keyElements === 0 || this.#isLate()) return 0;
    return Math.max(rows, Math.min(DEPTH, Math.floor((FILL_SECONDS * rows) / seconds)));
  }

  /**
   * Computes so many tokens, of which the last pass that was timed left the first; how much a cached token added to each
   * row of these passes. Noise only adds, so the least counts; infinite where there was none.
   */
  async #fill(stage: TimedStage, { rows, seconds }: PassTime, depth: number): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let position = rows; position < depth; position += rows) {
      const count = Math.min(rows, depth - position);
      const took = ownSeconds(await this.#pass(stage, count, position));
      if (count === rows) least = Math.min(least, Math.max(0, took - seconds) / (rows * position));
    }
    return least;
  }

  /** All in one pass, and then each part by its weights. */
  async #whole(): Promise<ModelSpeed> {
    const { layerCount } = this.#options.model.info;
    const rows = this.#mostRows();
    const stage = await this.#stages.load({ begin: 0, end: layerCount, hasOutput: true, context: rows, rows });
    const passes = await this.#timeRows(stage, this.#counts, () => this.#longestPass());
    const outputBytes = this.#outputBytes();
    const all = this.#bytes(0, layerCount) + outputBytes;
    const part = (bytes: number): readonly PassTime[] =>
      rising(passes.map((pass) => ({ ...pass, seconds: (pass.seconds * bytes) / all })));
    return {
      kinds: this.#kinds.bytes.map((bytes) => ({ passes: part(bytes), perCachedToken: 0, perCachedTokenOfMany: 0 })),
      kindOfLayer: this.#kinds.kindOfLayer,
      // Of one row: the other rows' output was not computed.
      output: part(outputBytes).slice(0, 1),
      perPass: 0,
    };
  }

  #timeRows(stage: TimedStage, counts: readonly number[], mostSeconds: () => number): Promise<readonly PassTime[]> {
    return timeRows((rows) => this.#time(() => this.#pass(stage, rows, 0)), counts, mostSeconds);
  }

  /** Seconds of a pass. */
  async #time(pass: () => Promise<TimedPass>): Promise<number> {
    const { seconds, disturbed, waited } = await timePass(pass, this.#patience);
    this.#patience -= waited;
    this.#disturbed ||= disturbed;
    return seconds;
  }

  #told(speed: ModelSpeed): ProbedSpeed {
    return { speed, disturbed: this.#disturbed };
  }

  #pass(stage: TimedStage, rows: number, position: number): Promise<TimedPass> {
    const { signal, checkpoint } = this.#options;
    if (signal.aborted) throw new ExoError("cancelled", "Measuring was cancelled.");
    checkpoint();
    return stage.pass(rows, position);
  }

  /** Seconds. */
  #longestPass(): number {
    return this.#isLate() ? 0 : LONGEST_PASS;
  }

  #isLate(): boolean {
    return this.#options.clock.monotonic() - this.#begun > BUDGET_MS;
  }

  #mostRows(): number {
    return this.#counts.at(-1) ?? 1;
  }

  #bytes(begin: number, end: number): number {
    const { kindOfLayer, bytes } = this.#kinds;
    return kindOfLayer.slice(begin, end).reduce((sum, kind) => sum + (bytes[kind] ?? 0), 0);
  }

  #outputBytes(): number {
    const { outputBytes, embeddingBytes, tiedEmbedding } = this.#options.model.info;
    return outputBytes + (tiedEmbedding ? embeddingBytes : 0);
  }
}
