import { memoryNeeds } from "../cluster/place.js";
import { type ModelPart, stageMemory, totalBytes } from "../model/memory-estimate.js";
import { fractionOf } from "../model/progress.js";
import type { ResolvedModel, ResolveOptions } from "../model/resolved-model.js";
import type { Stage } from "../native/stage.js";
import type { LoadedStage, LoadStageEvent, LoadStageRequest } from "../transport/node-service.js";
import type { WantedMemory } from "./claimed-stage.js";
import type { WantedStage } from "./kept-stages.js";
import { type ComputeSettings, stageOptions } from "./stage-settings.js";

/** Where the parts of models come from. */
export interface PartSource {
  resolvePart(spec: string, part: ModelPart, options: ResolveOptions): Promise<ResolvedModel>;
}

/** Hears how a load goes on. */
export type TellLoad = (event: LoadStageEvent) => void;

/** Brings the bytes of a stage to this machine. Rejects as `resolvePart` does. */
export function fetchPart(
  models: PartSource,
  request: LoadStageRequest,
  signal: AbortSignal,
  tell: TellLoad,
): Promise<ResolvedModel> {
  return models.resolvePart(request.model, partOf(request), {
    signal,
    hash: request.modelHash === "" ? null : request.modelHash,
    onProgress: (progress) => tell({ type: "progress", phase: "fetch", fraction: fractionOf(progress) }),
  });
}

/** The stage that a head asks for, as this node would load it. */
export function wantedStage(request: LoadStageRequest, compute: ComputeSettings): WantedStage {
  const { model: spec, modelHash, layerBegin, layerEnd, hasOutput, maxSequences: slots } = request;
  const settings = stageOptions({ ...request, slots }, compute);
  return { spec, modelHash, options: { ...settings, layerBegin, layerEnd, hasOutput } };
}

/** As `modelCost` counts it. */
export function wantedMemory(request: LoadStageRequest, { id, info }: ResolvedModel): WantedMemory {
  const needs = memoryNeeds({ ...request, slots: request.maxSequences }, request.contextSize);
  return {
    bytes: totalBytes(stageMemory(info, partOf(request), needs)),
    what: `Layers [${request.layerBegin}, ${request.layerEnd}) of ${id}`,
  };
}

/** @param kept it stayed loaded from a ring before */
export function describeStage(stage: Stage, loadSeconds: number, kept: boolean): LoadedStage {
  const memory = stage.memory();
  return {
    architecture: stage.info.architecture,
    layerCount: stage.info.layerCount,
    embeddingSize: stage.info.embeddingSize,
    contextSize: stage.info.contextSize,
    weightsBytes: memory.weights,
    kvCacheBytes: memory.kvCache,
    computeBytes: memory.compute,
    outputBytes: memory.output,
    loadSeconds,
    kept,
  };
}

function partOf({ layerBegin, layerEnd, hasOutput }: LoadStageRequest): ModelPart {
  return { begin: layerBegin, end: layerEnd, hasEmbedding: layerBegin === 0 && layerEnd > 0, hasOutput };
}
