import type { HostPort } from "../config/address.js";
import type { ExoError } from "../core/errors.js";
import type { SamplingOptions } from "../core/inference.js";
import type { LoadHooks, StageInfo } from "../native/stage.js";
import type { HopTimesRecord, StageMemoryRecord, StageWorkRecord } from "./node-record.js";
import type { MeasuredSpeed } from "./prediction-record.js";
import type { RingRatesRecord } from "./ring-rates.js";
import type { RingSettings } from "./ring-settings.js";
import type { RingTokensRecord } from "./ring-tokens.js";

/** What the head of a ring is asked to load; `runtime/` does it. */
export interface HeadRequest {
  readonly ringId: string;
  readonly epoch: number;
  /** Ids of rings that this one takes the place of: what this node keeps of them may be used, and is freed otherwise. */
  readonly replaces: readonly string[];
  /** Its name in the API. */
  readonly model: string;
  readonly spec: string;
  /** `ModelHeader.hash` */
  readonly modelHash: string;
  /** Ids of the ring's nodes, this one first. */
  readonly nodes: readonly string[];
  readonly modelPath: string;
  readonly layerCount: number;
  /** The head holds layers `[0, layerEnd)`, the embedding and the output head. */
  readonly layerEnd: number;
  readonly stageCount: number;
  /** Where the second stage listens; `null` for a ring of one node. */
  readonly nextHop: HostPort | null;
  readonly ring: RingSettings;
  /** Bytes that the plan counted for it, with a model that drafts. */
  readonly plannedBytes: number;
  /** Bytes of a token embedding that is the output head's matrix too; 0 where they are two. */
  readonly tiedEmbeddingBytes: number;
  /** Sampling that suits the model; for requests that leave it to the server. */
  readonly sampling: SamplingOptions;
}

/** How busy a head is, and what it did since it was loaded. */
export interface HeadLoad {
  readonly busySlots: number;
  readonly waiting: number;
  readonly work: StageWorkRecord;
  readonly hops: HopTimesRecord | null;
  /** How fast it answered lately. */
  readonly measured: MeasuredSpeed;
  readonly rates: RingRatesRecord;
  readonly tokens: RingTokensRecord;
  /** Milliseconds that each hop of the last way round took, the one from the head first. */
  readonly hopMs: readonly number[];
  readonly microBatchesUnderWay: number;
}

/** A loaded head as the cluster sees it. */
export interface LoadedHead {
  readonly info: StageInfo;
  /** Its stages stayed from a ring before. */
  readonly kept: boolean;
  memory(): StageMemoryRecord;
  load(): HeadLoad;
  /**
   * Sends an empty micro-batch round the ring: opens every edge and shows that it closes.
   *
   * @param isHealed requests wait for it, and its nodes were in a ring before
   */
  check(isHealed: boolean): Promise<void>;
  onBroken(listener: (error: ExoError) => void): void;
  /**
   * Ends every request with `reason` and frees everything. Idempotent.
   *
   * @param keep its stages stay loaded for a moment, for a ring that comes after this one
   */
  close(reason: ExoError, keep: boolean): Promise<void>;
}

export type OpenHead<Head extends LoadedHead> = (request: HeadRequest, hooks: LoadHooks) => Promise<Head>;
