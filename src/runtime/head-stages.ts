import type { HeadRequest } from "../cluster/head-port.js";
import { ExoError } from "../core/errors.js";
import { type LoadHooks, Stage } from "../native/stage.js";
import { claimFor, sumOf } from "./claimed-stage.js";
import type { KeptStages, WantedStage } from "./kept-stages.js";
import type { MemoryCap, MemoryClaim } from "./memory-cap.js";
import { outputRows, type SpeculationSettings } from "./speculation/settings.js";
import { type ComputeSettings, stageOptions } from "./stage-settings.js";

/** What decides which stages a head has. */
export interface HeadStagesRequest extends HeadRequest {
  readonly compute: ComputeSettings;
  readonly speculation: SpeculationSettings;
}

/** The head's own stages, and what becomes of them. */
export class HeadStages {
  /** Embedding and the head's layers; of a ring of one node the same as `output`. */
  readonly front: Stage;
  readonly output: Stage;
  /** Neither had to be loaded. */
  readonly kept: boolean;
  readonly #request: HeadStagesRequest;
  readonly #keptStages: KeptStages;
  readonly #released = new Set<Stage>();
  #keep = false;

  private constructor(request: HeadStagesRequest, keptStages: KeptStages, stages: Opened) {
    this.#request = request;
    this.#keptStages = keptStages;
    this.front = stages.front;
    this.output = stages.output;
    this.kept = stages.kept;
  }

  /**
   * Takes what is kept of them, and loads the rest. Rejects as `Stage.load` does, and with `out_of_memory` where the owner
   * does not offer as much; nothing stays behind. The claim that comes with them is of what the plan has beside them.
   */
  static async open(
    request: HeadStagesRequest,
    { kept, memory }: { readonly kept: KeptStages; readonly memory: MemoryCap },
    hooks: LoadHooks,
  ): Promise<{ readonly stages: HeadStages; readonly claim: MemoryClaim }> {
    kept.leaveRings(request.replaces);
    const wanted = request.nextHop === null ? [wholeModel(request)] : [firstLayers(request), outputHead(request)];
    const taken = await Promise.all(wanted.map((one) => kept.take(one)));
    const rings = new Set([request.ringId, ...request.replaces]);
    const stages: Stage[] = [];
    let claim: MemoryClaim | null = null;
    try {
      // What else is left of the ring has no place in it any more.
      await kept.free(({ ringId, spare }) => rings.has(ringId) && !spare);
      const missing = request.plannedBytes - sumOf(taken.filter((stage) => stage !== null));
      const what = `The head of ${request.model}`;
      claim = await kept.makingWay(() => memory.claim(Math.max(0, missing), what, hooks.signal));
      for (const [index, { options }] of wanted.entries()) {
        const load = () =>
          Stage.load({ ...options, modelPath: request.modelPath }, index === 0 ? hooks : silent(hooks));
        stages.push(taken[index] ?? (await kept.makingWay(load)));
      }
    } catch (thrown) {
      const all = new Set([...stages, ...taken].filter((stage) => stage !== null));
      await Promise.all([...all].map((stage) => stage.close()));
      claim?.release();
      throw thrown;
    }
    const [front, output = front] = stages;
    if (front === undefined || output === undefined) throw new ExoError("internal", "A head has one stage at least.");
    const loaded = stages.filter((_, index) => taken[index] === null);
    divide(claim, loaded, { request, memory, front, output });
    return { stages: new HeadStages(request, kept, { front, output, kept: loaded.length === 0 }), claim };
  }

  /** Each once. */
  all(): readonly Stage[] {
    return this.front === this.output ? [this.front] : [this.front, this.output];
  }

  /** From now on they stay loaded for the ring that comes next. */
  keep(): void {
    this.#keep = true;
  }

  /** The ring needs it no more. Idempotent. */
  async release(stage: Stage): Promise<void> {
    if (this.#keep && !this.#released.has(stage)) {
      const { ringId, spec, modelHash } = this.#request;
      this.#keptStages.keep({ ringId, spec, modelHash, stage, spare: false });
    } else if (!this.#keep) await stage.close();
    this.#released.add(stage);
  }
}

interface Opened {
  readonly front: Stage;
  readonly output: Stage;
  readonly kept: boolean;
}

/** Each stage takes its own of what was claimed for all: it may stay when the others go. */
function divide(claim: MemoryClaim, loaded: readonly Stage[], head: DividedHead): void {
  const { request, memory, front, output } = head;
  const bytes = loaded.map(
    (stage) => sumOf([stage]) - (stage === output ? sharedBytes(request.tiedEmbeddingBytes, front, output) : 0),
  );
  claim.became(Math.max(0, claim.bytes - bytes.reduce((sum, each) => sum + each, 0)));
  for (const [index, stage] of loaded.entries()) {
    claimFor(stage, memory.partOf(`The head of ${request.model}`), bytes[index] ?? 0);
  }
}

interface DividedHead {
  readonly request: HeadStagesRequest;
  readonly memory: MemoryCap;
  readonly front: Stage;
  readonly output: Stage;
}

/** A tied embedding that both map from the file is in memory once. */
export function sharedBytes(tiedEmbeddingBytes: number, front: Stage, output: Stage): number {
  if (front === output) return 0;
  return Math.min(tiedEmbeddingBytes, front.memory().weightsMapped, output.memory().weightsMapped);
}

/** A ring of one node: one stage is both. */
function wholeModel(request: HeadStagesRequest): WantedStage {
  const { spec, modelHash, layerCount } = request;
  const range = { layerBegin: 0, layerEnd: layerCount, hasOutput: true, maxOutputs: outputsOf(request) };
  return { spec, modelHash, options: { ...stageOptions(request.ring, request.compute), ...range } };
}

function firstLayers({ spec, modelHash, ring, compute, layerEnd }: HeadStagesRequest): WantedStage {
  const range = { layerBegin: 0, layerEnd, hasOutput: false };
  return { spec, modelHash, options: { ...stageOptions(ring, compute), ...range } };
}

/** Final norm and lm_head: no layers, so no cache whatever the context. */
function outputHead(request: HeadStagesRequest): WantedStage {
  const { spec, modelHash, layerCount } = request;
  const range = { layerBegin: layerCount, layerEnd: layerCount, hasOutput: true, maxOutputs: outputsOf(request) };
  return { spec, modelHash, options: { ...stageOptions(request.ring, request.compute), ...range } };
}

function outputsOf({ ring, speculation }: HeadStagesRequest): number {
  return outputRows(ring.slots, ring.batchSize, speculation);
}

/** Progress is told of the layers; the output head is a small part beside them. */
function silent({ signal }: LoadHooks): LoadHooks {
  return signal === undefined ? {} : { signal };
}
