import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import type { Stage } from "../native/stage.js";
import type { StageOptions } from "../native/stage-options.js";
import type { LoadStageRequest } from "../transport/node-service.js";
import { loadClaimed, type WantedMemory } from "./claimed-stage.js";
import type { KeptStages } from "./kept-stages.js";
import { describeStage, fetchPart, type PartSource, type TellLoad, wantedMemory, wantedStage } from "./load-part.js";
import type { MemoryCap } from "./memory-cap.js";
import type { ComputeSettings } from "./stage-settings.js";

export interface SpareStagesOptions {
  readonly compute: (cores: number) => ComputeSettings;
  readonly memory: MemoryCap;
  /** As `StageHostOptions`. */
  readonly requireMemory: () => void;
  readonly models: PartSource;
  readonly kept: KeptStages;
  readonly logger: Logger;
}

/** Stages that this node makes ready in case that another one is lost. */
export class SpareStages {
  readonly #options: SpareStagesOptions;
  /** By ring and stage. */
  readonly #underWay = new Map<string, { readonly ringId: string; readonly abort: AbortController }>();

  constructor(options: SpareStagesOptions) {
    this.#options = options;
  }

  /** Fetches a stage, and loads it where it is asked for and memory allows. One that is here stays for longer. */
  async prepare(request: LoadStageRequest, signal: AbortSignal, tell: TellLoad): Promise<void> {
    const { ringId, stageIndex } = request.place;
    const key = `${ringId} ${stageIndex}`;
    if (this.#underWay.has(key)) throw new ExoError("not_ready", "This spare is being made already.");
    const abort = new AbortController();
    this.#underWay.set(key, { ringId, abort });
    try {
      await this.#make(request, AbortSignal.any([signal, abort.signal]), tell);
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** The ring needs this node now: its spares are in the way of what it really loads. */
  leaveTo(ringId: string): void {
    for (const one of this.#underWay.values()) if (one.ringId === ringId) one.abort.abort();
  }

  close(): void {
    for (const { abort } of this.#underWay.values()) abort.abort();
  }

  async #make(request: LoadStageRequest, signal: AbortSignal, tell: TellLoad): Promise<void> {
    const { kept, models, compute } = this.#options;
    const wanted = wantedStage(request, compute(request.cores));
    const isHead = request.place.stageIndex === 0;
    const known = isHead ? null : kept.renew(wanted);
    if (known !== null) {
      tell({ type: "done", stage: describeStage(known, 0, true) });
      return;
    }
    const model = await fetchPart(models, request, signal, tell);
    if (request.spare !== "load" || isHead) return;
    const options = { ...wanted.options, modelPath: model.path };
    const stage = await this.#load(options, wantedMemory(request, model), signal);
    if (stage === null) return;
    kept.keep({ ringId: request.place.ringId, spec: wanted.spec, modelHash: wanted.modelHash, stage, spare: true });
    tell({ type: "done", stage: describeStage(stage, 0, false) });
  }

  /** `null`: there is no room. Nothing makes way for a spare. */
  async #load(options: StageOptions, wanted: WantedMemory, signal: AbortSignal): Promise<Stage | null> {
    const { memory, requireMemory, logger } = this.#options;
    try {
      requireMemory();
      const stage = await loadClaimed(memory, wanted, options, { signal });
      if (!signal.aborted) return stage;
      await stage.close();
      return null;
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (error.code !== "out_of_memory") throw error;
      logger.debug({ error: error.message }, "a spare was fetched, and is not loaded");
      return null;
    }
  }
}
