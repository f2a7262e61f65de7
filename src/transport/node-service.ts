import type { HostPort } from "../config/address.js";
import type { InferenceService } from "../core/inference.js";
import type { NodeTrace } from "../core/trace.js";
import type { BlockRun } from "../model/sparse/blocks.js";
import type { OfferedFile } from "../model/sparse/range-source.js";
import type { ActivationType } from "../native/activation.js";
import type { KvType } from "../native/stage-options.js";
import type { ModelSpeed } from "../planning/speeds.js";
import type { NodeBuild } from "./compatibility.js";

/** Who a node is, as each side tells the other. */
export interface NodeHello extends NodeBuild {
  readonly nodeId: string;
  /** Chosen by its owner; not unique. */
  readonly name: string;
  /** Of the exo-native package. */
  readonly version: string;
  readonly capabilities: readonly string[];
  /** Where the node listens for gRPC; its host is the one its peer sees. */
  readonly grpcPort: number;
  /** The sender's clock when it spoke: milliseconds since the Unix epoch. */
  readonly timeMs: number;
  /** New at each start, so that a node is told from a copy of it with the same id. */
  readonly instance: string;
}

export interface NodeHealth {
  /** The node's own record: plain data, parsed by whoever keeps records. */
  readonly record: unknown;
  readonly uptimeSeconds: number;
}

/** A place in a ring of one epoch. */
export interface StagePlace {
  readonly ringId: string;
  readonly epoch: number;
  /** 0 is the head. */
  readonly stageIndex: number;
  readonly stageCount: number;
}

export interface NextHop {
  readonly nodeId: string;
  readonly host: string;
  readonly port: number;
}

export interface LoadStageRequest {
  readonly place: StagePlace;
  /** A model spec as a user writes it. */
  readonly model: string;
  /** Half-open. */
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly hasOutput: boolean;
  /** Tokens per sequence, and sequences at once. */
  readonly contextSize: number;
  readonly maxSequences: number;
  /** Rows in one frame, and in one compute pass. */
  readonly batchSize: number;
  readonly microBatchSize: number;
  readonly kvTypeK: KvType;
  readonly kvTypeV: KvType;
  readonly flashAttention: "auto" | "on" | "off";
  /** Of the hidden states this stage sends on. */
  readonly wireType: ActivationType;
  /** Cores of its machine that are this node's part while other nodes run there too; 0: all that it may use. */
  readonly cores: number;
  /** `ModelHeader.hash` as the head has it; "": whichever the spec leads to. */
  readonly modelHash: string;
  /** Ids of rings that this one takes the place of: what the node holds of them goes on in it, or makes way. */
  readonly replaces: readonly string[];
  /**
   * "": it takes its place. Else it stands by, in case that the node which holds it is lost: `load` where memory allows, or
   * `fetch` only, which ends without `done`.
   */
  readonly spare: "" | "load" | "fetch";
  readonly nextHop: NextHop;
}

export interface LoadedStage {
  readonly architecture: string;
  /** Of the whole model. */
  readonly layerCount: number;
  readonly embeddingSize: number;
  /** Tokens per sequence as allocated. */
  readonly contextSize: number;
  /** Bytes. */
  readonly weightsBytes: number;
  readonly kvCacheBytes: number;
  readonly computeBytes: number;
  readonly outputBytes: number;
  readonly loadSeconds: number;
  /** It stayed loaded from a ring before. */
  readonly kept: boolean;
}

export type LoadStageEvent =
  | { readonly type: "progress"; readonly phase: "fetch" | "load"; readonly fraction: number }
  | { readonly type: "done"; readonly stage: LoadedStage };

/** Of which model a node is to say what its parts take there, and with which settings of a ring. */
export interface ProbeModelRequest
  extends Pick<LoadStageRequest, "model" | "cores" | "microBatchSize" | "kvTypeK" | "kvTypeV" | "flashAttention"> {
  /** Measure anew what is known. Default false. */
  readonly refresh?: boolean;
}

export interface PlaceModelOrder {
  readonly ringId: string;
  /** Plain data, parsed by whoever places models. */
  readonly request: unknown;
  /** Id of the node that planned the ring. */
  readonly askedBy: string;
}

export interface StopModelOrder {
  readonly ringId: string;
  /** The model's name in the API, its spec, and how it was asked for. */
  readonly model: string;
  readonly spec: string;
  readonly askedAs: string;
  readonly replica: number;
  /** Leave it alone while it is used or pinned, and go on wanting it. */
  readonly onlyIfIdle: boolean;
}

/**
 * What a node does for its peers. `control-server.ts` offers it over gRPC, `ControlClient` is the same interface at
 * the other end; an `ExoError` thrown here comes out there with the same code, message and `retryable`.
 */
export interface NodeService extends InferenceService {
  /** A compatible peer introduced itself and listens, as far as can be seen from here, at `seenAt`; the answer is this node. */
  hello(peer: NodeHello, seenAt: HostPort): Promise<NodeHello>;
  health(): Promise<NodeHealth>;
  /** Both messages are plain data, parsed by whoever keeps membership. */
  gossip(message: unknown): Promise<unknown>;
  /** Ends with `done`. Aborting the signal, or leaving the loop, cancels the load and frees what it held. */
  loadStage(request: LoadStageRequest, signal: AbortSignal): AsyncIterable<LoadStageEvent>;
  /** @param keep it stays loaded for a moment, for a ring that comes after this one */
  unloadStage(place: StagePlace, keep: boolean): Promise<void>;
  /** Measures the model's parts here, unless it was done before. Rejects `not_ready` where the node is never idle meanwhile. */
  probeModel(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed>;
  /** What this node has of a model's files; none when it has not the model. */
  offerModel(model: string): Promise<readonly OfferedFile[]>;
  hashModel(fileId: string, run: BlockRun, signal: AbortSignal, doubted?: boolean): Promise<readonly Buffer[]>;
  /** Half-open `[begin, end)` of an offered file, in pieces. */
  readModel(fileId: string, begin: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Asks this node to be the head of a ring; resolves with the ring's record, plain data, while it is being loaded. */
  placeModel(order: PlaceModelOrder): Promise<unknown>;
  /** It takes no new layers from now on, and rings are placed without it; or it may again. */
  drain(draining: boolean): Promise<void>;
  /** What this node recorded of a request; `null`: of the last ones, with their root spans only. */
  readTraces(requestId: string | null): Promise<readonly NodeTrace[]>;
  /** Whether a ring was taken down here; resolves when its memory is free. */
  stopModel(order: StopModelOrder): Promise<boolean>;
}
