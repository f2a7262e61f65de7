import type { LoadOptions } from "../cluster/model-request.js";
import type { DrainOutcome } from "../cluster/node-drain.js";
import type { Planner } from "../cluster/planner.js";
import type { ModelDescription } from "../model/model-descriptions.js";
import type { ProgressListener } from "../model/progress.js";
import type { ClusterRing, ClusterSnapshot } from "./cluster-snapshot.js";

/** A model that this node can answer for, as `/v1/models` lists it. */
export interface ModelCard {
  /** What a request names in `model`, e.g. `qwen2.5-0.5b-instruct-q4_k_m` or `hf:org/repo:Q4_K_M`. */
  readonly id: string;
  /** Other names that mean the same model. */
  readonly aliases?: readonly string[];
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly ownedBy: string;
  /** Absent: loaded. An unloaded one is known, and loaded when it is asked for. */
  readonly state?: "loaded" | "loading" | "unloaded";
  /** Some node of the cluster has all of its files. */
  readonly onDisk?: boolean;
  /** Tokens of context per request; absent before it is placed. */
  readonly contextSize?: number;
  readonly contextTrained?: number;
  readonly vocabularySize?: number;
  readonly embeddingSize?: number;
  readonly parameterCount?: number;
  /** Bytes of all the model's files. */
  readonly sizeBytes?: number;
  readonly architecture?: string;
  /** What it can be asked for: `completion`, `embedding`. Absent: not known before it is placed. */
  readonly capabilities?: readonly string[];
}

export interface ModelCatalog {
  /** Loaded models, the default one first, then those that are being loaded, then those that could be. */
  list(): readonly ModelCard[];
}

/** What an owner can have done with the cluster's models. */
export interface RingControl {
  /** Resolves with the ring that there is, or that there will be. */
  load(model: string, options: LoadOptions): Promise<ClusterRing>;
  /** Resolves when a ring of the model is ready. */
  whenReady(model: string, signal: AbortSignal): Promise<ClusterRing>;
  /** Resolves with the ring as it was. */
  unload(ringId: string): Promise<ClusterRing>;
}

/** What an owner can have done with the cluster's nodes. */
export interface NodeControl {
  /**
   * Has a node, by id or name, take no more layers and its rings placed without it; or takes that back. Rejects with what
   * is missing where a ring has nowhere else to go.
   */
  drain(node: string, draining: boolean): Promise<DrainOutcome>;
}

/** The models on the disk of this node. */
export interface ModelLibrary {
  /** What the files of a model say, where they are here; fetches nothing. */
  describe(name: string): Promise<ModelDescription | null>;
  /** Resolves when the whole model is here. */
  resolve(
    name: string,
    options: { readonly signal: AbortSignal; readonly onProgress: ProgressListener },
  ): Promise<unknown>;
  /** Takes a model out of the cache. */
  remove(name: string): Promise<unknown>;
}

export interface Readiness {
  readonly ready: boolean;
  /** A sentence that says what is missing; `null` when ready. */
  readonly reason: string | null;
}

/** What a look at the machine found; a sentence in `mend` says what to do about it. */
export interface DoctorFinding {
  readonly id: string;
  readonly severity: "problem" | "warning" | "note" | "ok";
  readonly title: string;
  readonly detail: string;
  readonly mend: string | null;
}

/** Plain JSON, as `exo-native doctor --json` prints it. */
export interface DoctorReport {
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  /** Version of Node.js. */
  readonly node: string;
  /** How many findings there are of each severity. */
  readonly summary: Readonly<Record<DoctorFinding["severity"], number>>;
  readonly findings: readonly DoctorFinding[];
}

/** Looks at the machine of this node and, by what the node knows, at the others. */
export interface Doctor {
  examine(node: { readonly url: URL; readonly cluster: ClusterSnapshot }): Promise<DoctorReport>;
}

/** Plans and estimates, without loading anything. */
export type PlanningService = Pick<Planner, "plan" | "estimate">;

export interface ClusterView {
  /** Plain JSON, sent as it is by `GET /cluster`. */
  snapshot(): ClusterSnapshot;
  /** Whether a chat request sent now would be answered. */
  readiness(): Readiness;
}
