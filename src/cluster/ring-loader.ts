import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import { unlessStalled } from "../core/unless-stalled.js";
import { fractionOf, type ModelProgress } from "../model/progress.js";
import { coreShares } from "../planning/core-share.js";
import type { Plan, PlannedStage } from "../planning/plan.js";
import { stageBytes } from "../planning/stages.js";
import type { LoadedStage, LoadStageRequest, StagePlace } from "../transport/node-service.js";
import type { LoadedHead, OpenHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { Member } from "./membership.js";
import type { ModelSource, PlaceableModel } from "./model-source.js";
import type { NodeRecord, StageMemoryRecord } from "./node-record.js";
import type { RingSettings } from "./ring-settings.js";

/** What becomes of each stage while a ring is loaded; `stage` is its index in the plan. */
export interface RingLoadObserver {
  onStageProgress(stage: number, phase: "fetch" | "load", fraction: number): void;
  /** @param kept it stayed loaded from a ring before */
  onStageLoaded(stage: number, memory: StageMemoryRecord, kept: boolean): void;
  /** Of another node. */
  onStageFailed(member: Member, error: ExoError): void;
}

export interface RingLoaderOptions<Head extends LoadedHead> {
  readonly ringId: string;
  readonly epoch: number;
  readonly model: PlaceableModel;
  readonly models: ModelSource;
  readonly plan: Plan;
  readonly ring: RingSettings;
  /** Ids of rings that this one takes the place of. */
  readonly replaces: readonly string[];
  /** Requests wait for it, and its nodes were in a ring before. */
  readonly isHealed: boolean;
  /** This node, as its peers know it. */
  readonly self: NodeRecord;
  readonly membership: MemberView;
  readonly openHead: OpenHead<Head>;
  readonly observer: RingLoadObserver;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export interface LoadedRing<Head extends LoadedHead> {
  readonly head: Head;
  /**
   * Takes the whole ring down, as far as its nodes can be reached; never rejects. Idempotent.
   *
   * @param keep its stages stay loaded for a moment, for a ring that comes after this one; then only those of this node are
   * waited for
   */
  close(reason: ExoError, keep: boolean): Promise<void>;
}

/**
 * A node that says nothing of a load for so long is stuck: it reports what it fetches and reads as it goes, but for files
 * that it compares with their hashes first, which a slow disk does in minutes.
 */
const LOAD_STALL_MS = 15 * 60_000;

/** Loads every stage of a plan at the same time, then sends an empty micro-batch round. All or nothing. */
export async function loadRing<Head extends LoadedHead>(options: RingLoaderOptions<Head>): Promise<LoadedRing<Head>> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const others = options.plan.stages.slice(1).map((stage) => memberOf(options, stage));
  const loads = [
    loadHead(options, signal),
    ...others.map((member, index) => loadStage(options, member, index + 1, signal)),
  ] as const;
  const abortAll = (): void => failed.abort();
  for (const load of loads) load.catch(abortAll);
  const results = await Promise.allSettled(loads);
  const head = results[0].status === "fulfilled" ? results[0].value : null;
  const close = async (reason: ExoError, keep: boolean): Promise<void> => {
    await head?.close(reason, keep).catch((thrown: unknown) => {
      const { message } = ExoError.from(thrown);
      options.logger.warn({ model: options.model.id, error: message }, "a ring's head could not be taken down cleanly");
    });
    const unloaded = Promise.all(others.map((member, index) => unloadStage(options, member, index + 1, keep)));
    if (!keep) await unloaded;
  };
  try {
    const failure = firstCause(results);
    if (failure !== null) throw failure;
    if (head === null) throw new ExoError("cancelled", "Loading was cancelled.");
    await head.check(options.isHealed);
    return { head, close };
  } catch (thrown) {
    const error = ExoError.from(thrown);
    // The next try comes at once, and most of it may be there already.
    await close(error, options.isHealed && !options.signal.aborted);
    throw error;
  }
}

/** The failure that made the others stop, rather than one of those. */
function firstCause(results: readonly PromiseSettledResult<unknown>[]): ExoError | null {
  const errors = results.filter((result) => result.status === "rejected").map((result) => ExoError.from(result.reason));
  return errors.find((error) => error.code !== "cancelled") ?? errors[0] ?? null;
}

function memberOf<Head extends LoadedHead>(options: RingLoaderOptions<Head>, stage: PlannedStage): Member {
  const member = options.membership.find(stage.nodeId);
  if (member !== null && member.state === "alive") return member;
  throw new ExoError(
    "stage_lost",
    `Node ${member?.name ?? stage.nodeId}, which was to hold layers ${stage.layerBegin}-${stage.layerEnd}, left meanwhile.`,
  );
}

async function loadHead<Head extends LoadedHead>(options: RingLoaderOptions<Head>, signal: AbortSignal): Promise<Head> {
  const { plan, ringId, epoch, model, ring, observer } = options;
  const [own, second] = plan.stages;
  const { path: modelPath } = await fetchHead(options, signal);
  const head = await options.openHead(
    {
      ringId,
      epoch,
      replaces: options.replaces,
      model: model.id,
      spec: model.spec,
      modelHash: model.hash,
      nodes: plan.stages.map(({ nodeId }) => nodeId),
      modelPath,
      layerCount: plan.layerCount,
      layerEnd: own?.layerEnd ?? plan.layerCount,
      plannedBytes: own === undefined ? 0 : stageBytes(own),
      stageCount: plan.stages.length,
      nextHop: second === undefined ? null : memberOf(options, second).address,
      ring,
      tiedEmbeddingBytes: model.info.tiedEmbedding ? model.info.embeddingBytes : 0,
      sampling: model.defaults,
    },
    { signal, onProgress: (fraction) => observer.onStageProgress(0, "load", fraction) },
  );
  observer.onStageLoaded(0, head.memory(), head.kept);
  return head;
}

/** The head's layers, and both ends of the model. */
function fetchHead<Head extends LoadedHead>(
  { plan, model, models, observer }: RingLoaderOptions<Head>,
  signal: AbortSignal,
): ReturnType<ModelSource["resolvePart"]> {
  const part = { begin: 0, end: plan.stages[0]?.layerEnd ?? plan.layerCount, hasEmbedding: true, hasOutput: true };
  const onProgress = (progress: ModelProgress): void => observer.onStageProgress(0, "fetch", fractionOf(progress));
  return models.resolvePart(model.spec, part, { signal, onProgress, hash: model.hash });
}

async function loadStage<Head extends LoadedHead>(
  options: RingLoaderOptions<Head>,
  member: Member,
  stageIndex: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    const request = stageRequest(options, stageIndex);
    const load = (unlessStuck: AbortSignal) => member.client.loadStage(request, unlessStuck);
    for await (const event of unlessStalled(load, LOAD_STALL_MS, signal)) {
      if (event.type === "progress") options.observer.onStageProgress(stageIndex, event.phase, event.fraction);
      else options.observer.onStageLoaded(stageIndex, memoryOf(event.stage), event.stage.kept);
    }
  } catch (thrown) {
    const error = ExoError.from(thrown);
    options.observer.onStageFailed(member, error);
    throw new ExoError(error.code, `Node ${member.name} could not load its stage: ${error.message}`, { cause: error });
  }
}

async function unloadStage<Head extends LoadedHead>(
  options: RingLoaderOptions<Head>,
  member: Member,
  stageIndex: number,
  keep: boolean,
): Promise<void> {
  try {
    await member.client.unloadStage(placeOf(options, stageIndex), keep);
  } catch (thrown) {
    // A node that is gone holds nothing; one that lives frees the stage itself when its edges close.
    const { message } = ExoError.from(thrown);
    options.logger.debug({ node: member.name, error: message }, "a stage could not be unloaded");
  }
}

function placeOf<Head extends LoadedHead>(options: RingLoaderOptions<Head>, stageIndex: number): StagePlace {
  const { ringId, epoch, plan } = options;
  return { ringId, epoch, stageIndex, stageCount: plan.stages.length };
}

function stageRequest<Head extends LoadedHead>(options: RingLoaderOptions<Head>, stageIndex: number): LoadStageRequest {
  const { plan, model, ring, self, membership } = options;
  const stage = plan.stages[stageIndex];
  if (stage === undefined) throw new ExoError("internal", `The plan has no stage ${stageIndex}.`);
  const next = plan.stages[stageIndex + 1];
  const address = next === undefined ? null : memberOf(options, next).address;
  return {
    place: placeOf(options, stageIndex),
    model: model.spec,
    layerBegin: stage.layerBegin,
    layerEnd: stage.layerEnd,
    hasOutput: false,
    contextSize: ring.contextSize,
    maxSequences: ring.slots,
    batchSize: ring.batchSize,
    microBatchSize: ring.microBatchSize,
    kvTypeK: ring.kvTypeK,
    kvTypeV: ring.kvTypeV,
    flashAttention: ring.flashAttention,
    wireType: ring.wireType,
    cores: coresOf(options, stage),
    modelHash: model.hash,
    replaces: options.replaces,
    spare: "",
    nextHop: { nodeId: next?.nodeId ?? self.id, ...(address ?? membership.ownAddress()) },
  };
}

/** Told by the head, because a node that has just joined may not know its neighbours yet. */
function coresOf<Head extends LoadedHead>(options: RingLoaderOptions<Head>, stage: PlannedStage): number {
  const { self, membership } = options;
  const nodes = [self, ...membership.alive().map((member) => member.record)];
  return coreShares(nodes).get(stage.nodeId) ?? 0;
}

function memoryOf(stage: LoadedStage): StageMemoryRecord {
  return {
    weights: stage.weightsBytes,
    kvCache: stage.kvCacheBytes,
    compute: stage.computeBytes,
    output: stage.outputBytes,
  };
}
