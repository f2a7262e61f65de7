import type { HostPort, ListenAddress } from "./address.js";
import type { Invite } from "./invite.js";
import type { LayerAssignment } from "./layer-assignment.js";
import type { Paths } from "./paths.js";

export const DISCOVERY_KINDS = ["mdns", "static", "tailscale"] as const;
export type DiscoveryKind = (typeof DISCOVERY_KINDS)[number];

export const WIRE_TYPES = ["f32", "f16", "q8_0"] as const;
export type WireType = (typeof WIRE_TYPES)[number];

export const KV_TYPES = ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"] as const;
export type KvType = (typeof KV_TYPES)[number];

export const STRATEGIES = ["latency", "throughput", "memory-weighted"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export const ON_DEMAND = ["off", "known", "any"] as const;
export type OnDemand = (typeof ON_DEMAND)[number];

export const FLASH_ATTENTION_MODES = ["auto", "on", "off"] as const;
export type FlashAttentionMode = (typeof FLASH_ATTENTION_MODES)[number];

export const CONTEXT_FULL_MODES = ["stop", "shift"] as const;
export type ContextFullMode = (typeof CONTEXT_FULL_MODES)[number];

export const SPECULATION_MODES = ["off", "ngram", "draft", "auto"] as const;
export type SpeculationMode = (typeof SPECULATION_MODES)[number];

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["auto", "pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Everything that can be set by flag, environment or file. `null` means "decide for me". */
export interface Settings {
  /** Model spec to place as soon as enough nodes are there. */
  readonly model: string | null;
  /** Further ones. */
  readonly pin: readonly string[];
  /** Which models a request may have loaded by naming them. */
  readonly onDemand: OnDemand;
  /** Seconds without a request after which a model that was loaded on demand is unloaded; `Infinity`: never. */
  readonly keepAlive: number;
  /** Other nodes that stand by for each stage of a ring. */
  readonly spares: number;
  readonly http: ListenAddress;
  readonly grpc: ListenAddress;
  /** A trusted LAN: any node found may join. */
  readonly open: boolean;
  readonly name: string;
  /** Nodes that name different clusters keep apart. `null`: the invite's, else the default one. */
  readonly cluster: string | null;
  /** Addresses; an invite given here stands for those in it. */
  readonly peer: readonly HostPort[];
  /** A file with addresses, read again when it changes. */
  readonly peersFile: string | null;
  readonly join: Invite | null;
  /** Empty: none. `null`: all that make sense. */
  readonly discovery: readonly DiscoveryKind[] | null;
  /** Cap on the bytes this node offers. */
  readonly memory: number | null;
  /** As the user wrote them, e.g. `cpu`, `cuda:0`. Empty: every device found. */
  readonly device: readonly string[];
  /** `null`: one per physical core, divided among the nodes of this machine. */
  readonly threads: number | null;
  /** For micro-batches of several rows; `null`: as `threads`. */
  readonly threadsBatch: number | null;
  /** Map the model file rather than read it. */
  readonly mmap: boolean;
  /** Keep the weights from being swapped out. */
  readonly mlock: boolean;
  /** Tokens of context per slot. */
  readonly ctx: number | null;
  /** Sequences answered at once. */
  readonly slots: number;
  /** Requests that may wait when every slot is taken. */
  readonly queue: number;
  /** Seconds that a request may take, its wait in the queue included. */
  readonly requestTimeout: number | null;
  /** Seconds that a computing thread is given at least before it counts as hung. */
  readonly stageTimeout: number;
  /** Seconds that a request waits for a model whose ring broke. */
  readonly healTimeout: number;
  /** What happens to an answer when the context is full. */
  readonly contextFull: ContextFullMode;
  /** What drafts tokens that are then computed together: the text so far, a small model, or either. */
  readonly speculation: SpeculationMode;
  /** Spec of the small model. */
  readonly draftModel: string | null;
  /** Tokens drafted at a time for one request, at most. */
  readonly draftTokens: number;
  /** Rows in one compute pass, and the size of a prefill chunk. */
  readonly ubatch: number;
  readonly kv: KvType;
  /** Of the values; `null`: as `kv`. */
  readonly kvV: KvType | null;
  readonly wire: WireType;
  readonly flashAttention: FlashAttentionMode;
  readonly strategy: Strategy;
  readonly minNodes: number;
  /** Bytes per second for models that this node fetches. */
  readonly downloadLimit: number | null;
  /** Bytes per second for models that other nodes fetch from this one. */
  readonly uploadLimit: number | null;
  /** Placement by hand. */
  readonly layers: readonly LayerAssignment[] | null;
  /** Keys that the HTTP API accepts beside those of the key file, for everything. */
  readonly apiKey: readonly string[];
  /** The node runs in a process of its own that is started again when it crashes. */
  readonly supervise: boolean;
  /** Host names by which the HTTP API may be called, besides those that are this machine's anyway. */
  readonly allowedHost: readonly string[];
  /** Origins of web pages that may read the HTTP API; `*`: all. */
  readonly corsOrigin: readonly string[];
  /** Requests per minute of one HTTP client. */
  readonly rateLimit: number | null;
  /** Requests of one HTTP client at once. */
  readonly clientRequests: number | null;
  /** HTTP connections at once. */
  readonly maxConnections: number;
  /** Directories from which the HTTP API may have models loaded by path. Empty: as it is reached. */
  readonly modelDir: readonly string[];
  /** Models that are asked for over HTTP may be fetched from private addresses. */
  readonly allowPrivateDownloads: boolean;
  /** Part of the requests whose way through the cluster is recorded, 0 to 1. */
  readonly traces: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface Config extends Settings {
  readonly paths: Paths;
  /** The configuration file that was read, if any. */
  readonly file: string | null;
}
