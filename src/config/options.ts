import { z } from "zod";
import { type HostPort, parseHostPort, parseListenAddress } from "./address.js";
import { parseByteSize } from "./byte-size.js";
import { CLUSTER_NAME, DEFAULT_CLUSTER } from "./cluster-name.js";
import {
  CONTEXT_FULL_MODES,
  DISCOVERY_KINDS,
  FLASH_ATTENTION_MODES,
  KV_TYPES,
  LOG_FORMATS,
  LOG_LEVELS,
  type Settings,
  SPECULATION_MODES,
  STRATEGIES,
  WIRE_TYPES,
} from "./config.js";
import { HEAL_TIMEOUT_OPTION } from "./heal-option.js";
import { parseInvite } from "./invite.js";
import { parseLayerAssignments } from "./layer-assignment.js";
import { MODEL_OPTIONS } from "./model-options.js";
import { NODE_NAME, nameOfThisMachine } from "./node-name.js";
import { anyOf, listOf, nonEmpty, type Option, parsed, toggle, wholeNumber } from "./option.js";
import { TRACES_OPTION } from "./traces-option.js";

export const DEFAULT_HTTP_PORT = 52_415;
export const DEFAULT_GRPC_PORT = 52_416;

/** What a stage takes (`most_threads` of native/stage). */
const MOST_THREADS = 512;
const MOST_CONTEXT = 2 ** 27;

/** "10MB/s" says the same as "10MB". */
const bytesPerSecond = parsed((text) => parseByteSize(text.replace(/\/s$/i, ""))).pipe(z.number().positive());

const addresses = listOf(parsed((text) => parseHostPort(text, DEFAULT_GRPC_PORT)));

/** Addresses in lists, and invites, which hold commas of their own and so stand at the end of a text. */
const peers: z.ZodType<readonly HostPort[]> = z.union([z.string(), z.array(z.string())]).transform((input, context) =>
  [input].flat().flatMap((text) => {
    const at = text.search(/(?<![^\s,])exo-native:\/\//i);
    const listed = addresses.safeParse(at < 0 ? text : text.slice(0, at));
    const invite = at < 0 ? null : parseInvite(text.slice(at), DEFAULT_GRPC_PORT);
    if (listed.success && (at < 0 || invite !== null)) return [...listed.data, ...(invite?.peers ?? [])];
    context.addIssue("not understood");
    return [];
  }),
);

/** Every setting, in the order of the help. The command line, the environment and the file are all read by it. */
export const OPTIONS: { readonly [Key in keyof Settings]: Option<Settings[Key]> } = {
  model: {
    flag: "model",
    argument: "model",
    positional: true,
    description:
      "model to place as soon as enough nodes are there: a path, an hf:, https: or npm: spec, or a known name",
    expects: "the name of a model",
    schema: nonEmpty,
    default: null,
  },
  ...MODEL_OPTIONS,
  http: {
    flag: "http",
    argument: "host:port",
    description: "where the HTTP API and the chat page listen",
    expects: 'an address such as "127.0.0.1:52415" or ":52415"',
    schema: parsed(parseListenAddress),
    default: { host: "127.0.0.1", port: DEFAULT_HTTP_PORT },
  },
  grpc: {
    flag: "grpc",
    argument: "host:port",
    description: "where other nodes reach this one (without a host: loopback until open or in a cluster)",
    expects: 'an address such as "0.0.0.0:52416" or ":52416"',
    schema: parsed(parseListenAddress),
    default: { host: null, port: DEFAULT_GRPC_PORT },
  },
  open: {
    flag: "open",
    argument: null,
    description: "trust this network: any exo-native node on it may join (encrypted, not authenticated)",
    expects: "true or false",
    schema: toggle,
    default: false,
  },
  name: {
    flag: "name",
    argument: "name",
    description: "this node's name",
    expects: "a name of at most 63 letters, digits, dots, dashes or underscores",
    schema: z.string().regex(NODE_NAME),
    default: nameOfThisMachine(),
    defaultText: "the host name",
  },
  cluster: {
    flag: "cluster",
    argument: "name",
    description: `work only with nodes that name the same cluster (default: the invite's, else "${DEFAULT_CLUSTER}")`,
    expects: "a name of at most 63 letters, digits, dots, dashes or underscores",
    schema: z.string().regex(CLUSTER_NAME),
    default: null,
  },
  peer: {
    flag: "peer",
    argument: "host:port",
    repeatable: true,
    description: "another node to form a ring with; a name with several addresses stands for all of them",
    expects: 'addresses such as "192.168.1.20:52416" or "studio.local"',
    schema: peers,
    default: [],
  },
  peersFile: {
    flag: "peers-file",
    argument: "file",
    description: "a file with one such address per line, read again when it changes",
    expects: "the path of a file",
    schema: nonEmpty,
    default: null,
  },
  join: {
    flag: "join",
    argument: "invite",
    description: "join the open cluster of this invite: exo-native://host:port,host:port?cluster=name",
    expects: 'an invite of this release such as "exo-native://192.168.1.20:52416?cluster=home"',
    schema: parsed((text) => parseInvite(text, DEFAULT_GRPC_PORT)),
    default: null,
  },
  discovery: {
    flag: "discovery",
    argument: "kinds",
    description: `how other nodes are found: any of ${DISCOVERY_KINDS.join(", ")} (default: all with --open, else static)`,
    expects: `any of ${DISCOVERY_KINDS.join(", ")}, separated by commas`,
    choices: DISCOVERY_KINDS,
    schema: listOf(z.enum(DISCOVERY_KINDS)),
    default: null,
  },
  memory: {
    flag: "memory",
    argument: "size",
    description: "offer at most this much memory",
    expects: 'a size such as "4GiB" or "800MB"',
    schema: parsed(parseByteSize).pipe(z.number().positive()),
    default: null,
  },
  device: {
    flag: "device",
    argument: "devices",
    description: "compute on these devices only, e.g. cpu,cuda:0",
    expects: 'devices such as "cpu" or "cpu,cuda:0"',
    schema: listOf(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*(:\d{1,3})?$/)),
    default: [],
  },
  threads: {
    flag: "threads",
    argument: "n",
    description: "CPU threads for computing (default: one per core, shared with other nodes of this machine)",
    expects: "a whole number from 1 to 512",
    schema: wholeNumber(1, MOST_THREADS),
    default: null,
  },
  threadsBatch: {
    flag: "threads-batch",
    argument: "n",
    description: "CPU threads for prompts and other batches (default: as --threads)",
    expects: "a whole number from 1 to 512",
    schema: wholeNumber(1, MOST_THREADS),
    default: null,
  },
  mmap: {
    flag: "mmap",
    argument: "on|off",
    description: "map the model file instead of reading it (default: on)",
    expects: "on or off",
    choices: ["on", "off"],
    schema: toggle,
    default: true,
  },
  mlock: {
    flag: "mlock",
    argument: null,
    description: "keep the weights in memory: lock them against being swapped out",
    expects: "true or false",
    schema: toggle,
    default: false,
  },
  ctx: {
    flag: "ctx",
    argument: "tokens",
    description: "context per slot (default: what the model was trained for, at most what fits)",
    expects: `a whole number of tokens from 16 to ${MOST_CONTEXT}`,
    schema: wholeNumber(16, MOST_CONTEXT),
    default: null,
  },
  slots: {
    flag: "slots",
    argument: "n",
    description: "requests answered at once",
    expects: "a whole number from 1 to 256",
    schema: wholeNumber(1, 256),
    default: 4,
  },
  queue: {
    flag: "queue",
    argument: "n",
    description: "requests that may wait for a slot before others are turned away",
    expects: "a whole number from 0 to 100000",
    schema: wholeNumber(0, 100_000),
    default: 64,
  },
  requestTimeout: {
    flag: "request-timeout",
    argument: "seconds",
    description: "end requests that take longer, their wait for a slot included (default: as long as they need)",
    expects: "a whole number of seconds from 1 to 86400",
    schema: wholeNumber(1, 86_400),
    default: null,
  },
  healTimeout: HEAL_TIMEOUT_OPTION,
  contextFull: {
    flag: "context-full",
    argument: "what",
    description: `when the context is full: ${CONTEXT_FULL_MODES.join(", ")} (forget the oldest tokens but the system prompt)`,
    ...anyOf(CONTEXT_FULL_MODES),
    default: "stop",
  },
  speculation: {
    flag: "speculation",
    argument: "mode",
    description: `what drafts tokens, to compute several at once where that pays: ${SPECULATION_MODES.join(", ")}`,
    ...anyOf(SPECULATION_MODES),
    default: "auto",
  },
  draftModel: {
    flag: "draft-model",
    argument: "model",
    description: "small model with the same vocabulary that drafts tokens on the head",
    expects: "the name of a model",
    schema: nonEmpty,
    default: null,
  },
  draftTokens: {
    flag: "draft-tokens",
    argument: "n",
    description: "most tokens drafted at a time for one request",
    expects: "a whole number from 1 to 63",
    schema: wholeNumber(1, 63),
    default: 31,
  },
  ubatch: {
    flag: "ubatch",
    argument: "tokens",
    description: "most tokens in one compute pass; a ring takes prompts in chunks of this size or smaller",
    expects: "a whole number from 1 to 8192",
    schema: wholeNumber(1, 8192),
    default: 512,
  },
  kv: {
    flag: "kv",
    argument: "type",
    description: `number format of the KV cache: ${KV_TYPES.join(", ")}`,
    ...anyOf(KV_TYPES),
    default: "f16",
  },
  kvV: {
    flag: "kv-v",
    argument: "type",
    description: "number format of the values in the KV cache (default: as --kv)",
    ...anyOf(KV_TYPES),
    default: null,
  },
  wire: {
    flag: "wire",
    argument: "type",
    description: `number format of activations between nodes: ${WIRE_TYPES.join(", ")} (f32 is exact)`,
    ...anyOf(WIRE_TYPES),
    default: "f32",
  },
  flashAttention: {
    flag: "flash-attention",
    argument: "mode",
    description: `flash attention: ${FLASH_ATTENTION_MODES.join(", ")}`,
    ...anyOf(FLASH_ATTENTION_MODES),
    default: "auto",
  },
  strategy: {
    flag: "strategy",
    argument: "name",
    description: `what a placement aims for: ${STRATEGIES.join(", ")} (before anything is measured, the last)`,
    ...anyOf(STRATEGIES),
    default: "latency",
  },
  minNodes: {
    flag: "min-nodes",
    argument: "n",
    description: "wait for this many nodes before placing the model",
    expects: "a whole number from 1 to 1000",
    schema: wholeNumber(1, 1000),
    default: 1,
  },
  downloadLimit: {
    flag: "download-limit",
    argument: "size",
    description: "fetch models with at most so many bytes per second, e.g. 10MB",
    expects: 'a size per second such as "10MB" or "512KiB"',
    schema: bytesPerSecond,
    default: null,
  },
  uploadLimit: {
    flag: "upload-limit",
    argument: "size",
    description: "give models to other nodes with at most so many bytes per second, e.g. 10MB",
    expects: 'a size per second such as "10MB" or "512KiB"',
    schema: bytesPerSecond,
    default: null,
  },
  layers: {
    flag: "layers",
    argument: "ranges",
    description: "place by hand, e.g. 0-11@node-a,11-22@node-b (half-open ranges, the head first)",
    expects: 'ranges such as "0-11@node-a,11-22@node-b", each ending after it begins',
    schema: parsed(parseLayerAssignments),
    default: null,
  },
  apiKey: {
    flag: "api-key",
    argument: "key",
    repeatable: true,
    description: "ask HTTP clients for this key",
    expects: "keys of at least 8 visible ASCII characters",
    schema: listOf(z.string().regex(/^[\x21-\x7e]{8,512}$/)),
    default: [],
  },
  traces: TRACES_OPTION,
  logLevel: {
    flag: "log-level",
    argument: "level",
    description: `how much to log: ${LOG_LEVELS.join(", ")}`,
    ...anyOf(LOG_LEVELS),
    default: "info",
  },
  logFormat: {
    flag: "log-format",
    argument: "format",
    description: "pretty lines or JSON (default: pretty on a terminal)",
    ...anyOf(LOG_FORMATS),
    default: "auto",
  },
};
