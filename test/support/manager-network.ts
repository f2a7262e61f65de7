import { KnownModels } from "../../src/cluster/known-models.js";
import type { Member, PeerClient } from "../../src/cluster/membership.js";
import { ModelManager, type ModelManagerOptions } from "../../src/cluster/model-manager.js";
import {
  type ModelRequest,
  modelRequest,
  parseModelRequest,
  type RequestSettings,
} from "../../src/cluster/model-request.js";
import type { NodeRecord } from "../../src/cluster/node-record.js";
import { PinFile } from "../../src/cluster/pin-file.js";
import { PinnedModels } from "../../src/cluster/pinned-models.js";
import { PlacedModel, type Placement } from "../../src/cluster/placed-model.js";
import { worthReplacing } from "../../src/cluster/replan-rule.js";
import type { PlaceQuestion } from "../../src/cluster/ring-planner.js";
import type { OnDemand } from "../../src/config/config.js";
import { ExoError } from "../../src/core/errors.js";
import { type Logger, silentLogger } from "../../src/core/ports.js";
import { ownRecord } from "../../src/runtime/own-record.js";
import type { LoadedStage } from "../../src/transport/node-service.js";
import { modelOf } from "../unit/planning-models.js";
import { FakeHead } from "./fake-head.js";
import { sampleRecord } from "./sample-record.js";

export const SETTINGS: RequestSettings = {
  minNodes: 1,
  strategy: "memory-weighted",
  ctx: 64,
  slots: 1,
  ubatch: 32,
  kv: "f16",
  kvV: null,
  flashAttention: "auto",
  wire: "f32",
  keepAlive: Number.POSITIVE_INFINITY,
  spares: 0,
};

export interface ManagedNodeOptions {
  /** Bytes that the node may hold. Default: anything. */
  readonly capacity?: number;
  readonly onDemand?: OnDemand;
  readonly settings?: Partial<RequestSettings>;
  readonly pinFile?: string;
  /** Default: `placeOnOne`. */
  readonly place?: (question: PlaceQuestion) => Placement;
  /** What is measured. Default: nothing. */
  readonly gatherSpeeds?: ModelManagerOptions<FakeHead>["gatherSpeeds"];
  readonly logger?: Logger;
  /** Why it cannot load a stage for another node's ring. */
  readonly cannotLoad?: ExoError;
  /** Default: no copies. */
  readonly copies?: (question: PlaceQuestion) => readonly string[];
  /** The requests that it was started with. */
  readonly given?: (settings: RequestSettings, id: string) => readonly ModelRequest[];
}

/** Nodes whose managers are real; models, heads, clock and the network between them are not. */
export class ManagerNetwork {
  /** Seconds. */
  now = 0;
  /** Bytes of the models that there are, by spec. */
  readonly models: ReadonlyMap<string, number>;
  readonly nodes = new Map<string, ManagedNode>();
  readonly clock = { monotonic: () => this.now * 1000, wall: () => this.now * 1000 };

  constructor(models: Readonly<Record<string, number>> = { tiny: 10 }) {
    this.models = new Map(Object.entries(models));
  }

  async add(id: string, options: ManagedNodeOptions = {}): Promise<ManagedNode> {
    const node = new ManagedNode(id, this, options);
    await node.manager.prepare(options.given?.({ ...SETTINGS, ...options.settings }, id) ?? []);
    this.nodes.set(id, node);
    return node;
  }

  /** Every node meets every other one. */
  connect(): void {
    for (const node of this.nodes.values()) for (const other of this.nodes.values()) node.meet(other);
  }

  /** Every node hears what those say that it has met, and looks after its rings. */
  async beat(seconds = 1): Promise<void> {
    this.now += seconds;
    for (const node of this.nodes.values()) node.listen();
    for (const node of this.nodes.values()) node.manager.tick();
    await this.rest();
  }

  /** Lets everything that was begun come to rest. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The ready rings, each by its head. */
  ready(): readonly string[] {
    return [...this.nodes.values()].flatMap((node) =>
      node.manager
        .local()
        .map((placed) => placed.record())
        .filter(({ state }) => state === "ready")
        .map(({ model }) => `${model}@${node.id}`),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.manager.stop()));
  }
}

/** The API's name of a model. */
function idOf(spec: string): string {
  return spec.split("/").at(-1)?.replace(".gguf", "") ?? spec;
}

export class ManagedNode {
  readonly id: string;
  readonly manager: ModelManager<FakeHead>;
  readonly heads: FakeHead[] = [];
  cannotLoad: ExoError | null;
  draining = false;
  readonly #network: ManagerNetwork;
  readonly #capacity: number | null;
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<() => void>();

  constructor(id: string, network: ManagerNetwork, options: ManagedNodeOptions) {
    this.id = id;
    this.#network = network;
    this.#capacity = options.capacity ?? null;
    this.cannotLoad = options.cannotLoad ?? null;
    const logger = options.logger ?? silentLogger;
    const { clock, models } = network;
    const membership = {
      alive: () => this.#list().filter(({ state }) => state === "alive"),
      members: () => this.#list(),
      find: (nodeId: string) => this.#members.get(nodeId) ?? null,
      ownAddress: () => ({ host: id, port: 1 }),
      onChange: (listener: () => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    const header = async (spec: string) => {
      if (!models.has(spec)) throw new ExoError("model_not_found", `There is no model ${spec}.`);
      const bytes = models.get(spec) ?? 0;
      return { id: idOf(spec), spec, bytes, hash: "", info: modelOf([bytes]), defaults: {} };
    };
    this.manager = new ModelManager<FakeHead>({
      selfId: id,
      ownRecord: () => this.record(),
      membership,
      models: { header },
      known: new KnownModels({
        own: () => [...models].map(([spec, bytes]) => ({ id: idOf(spec), spec, bytes })),
        others: () => [],
      }),
      pins: new PinnedModels(options.pinFile === undefined ? null : new PinFile(options.pinFile, silentLogger)),
      settings: { ...SETTINGS, ...options.settings },
      onDemand: options.onDemand ?? "known",
      createRing: (setup) =>
        new PlacedModel({
          ...setup,
          self: { id, name: `node-${id}` },
          ownRecord: () => this.record(),
          membership,
          models: { header, resolvePart: async (path) => ({ path }) },
          openHead: async ({ modelPath }) => {
            const head = new FakeHead(models.get(modelPath) ?? 0);
            this.heads.push(head);
            return head;
          },
          retryMs: 0,
          clock,
          logger,
        }),
      place: options.place ?? placeOnOne,
      copies: options.copies ?? (() => []),
      gatherSpeeds: options.gatherSpeeds ?? (async () => null),
      worthReplacing,
      setDraining: (draining) => {
        this.draining = draining;
      },
      settleMs: 0,
      tickMs: 1_000_000_000,
      failedMs: 10_000,
      replanAfterMs: 5_000,
      remeasureAfterMs: 60_000,
      idleMomentMs: 1_000,
      clock,
      logger,
    });
  }

  start(): Promise<void> {
    return this.manager.start();
  }

  record(): NodeRecord {
    return ownRecord({
      ...sampleRecord({ id: this.id, memoryCap: this.#capacity }),
      devices: [],
      rings: this.manager.local().map((placed) => placed.record()),
      unfit: this.manager.unfit.records(),
      held: [],
      kept: [],
      draining: this.draining,
    });
  }

  meet(other: ManagedNode): void {
    if (other.id === this.id) return;
    const { id } = other;
    const client = clientOf(other, this.#network);
    const record = other.record();
    this.#members.set(id, {
      id,
      name: record.name,
      address: { host: id, port: 1 },
      addresses: [],
      state: "alive",
      reason: null,
      record,
      client,
    });
    this.#changed();
  }

  lose(other: ManagedNode): void {
    this.#members.delete(other.id);
    this.#changed();
  }

  /** Has not heard of it lately. */
  suspect(other: ManagedNode): void {
    const member = this.#members.get(other.id);
    if (member !== undefined) this.#members.set(other.id, { ...member, state: "suspect" });
    this.#changed();
  }

  /** Hears the records of those that it has met. */
  listen(): void {
    for (const [id, member] of this.#members) {
      const record = this.#network.nodes.get(id)?.record();
      if (record !== undefined) this.#members.set(id, { ...member, record: structuredClone(record) });
    }
  }

  #list(): readonly Member[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

const LOADED: LoadedStage = {
  architecture: "llama",
  layerCount: 2,
  embeddingSize: 64,
  contextSize: 64,
  weightsBytes: 1,
  kvCacheBytes: 0,
  computeBytes: 0,
  outputBytes: 0,
  loadSeconds: 0,
  kept: false,
};

/** One layer on each of so many nodes, or of as many as there are; the head is `request.head`, or the first. */
export function placeOver(most: number): (question: PlaceQuestion) => Placement {
  return (question) => {
    const first = question.request.head ?? question.request.preferredHead;
    const nodes = question.nodes.toSorted((a, b) => Number(b.id === first) - Number(a.id === first));
    const { plan, ring } = placeOnOne({ ...question, nodes: nodes.slice(0, 1) });
    const memory = { weights: 1, kvCache: 0, compute: 0 };
    const stages = nodes.slice(0, most).map(({ id }, index) => {
      return {
        nodeId: id,
        layerBegin: index,
        layerEnd: index + 1,
        hasEmbedding: index === 0,
        hasOutput: index === 0,
        memory,
      };
    });
    return { plan: { ...plan, layerCount: stages.length, stages }, ring };
  };
}

/** Wants one model whole, with this node as its head unless another one is better. */
export function wants(...specs: readonly string[]): (settings: RequestSettings, id: string) => readonly ModelRequest[] {
  return (settings, id) => specs.map((spec) => modelRequest(spec, settings, { pinned: true, preferredHead: id }));
}

/** The whole model on one node: the one that was asked for, else the first that has room. */
export function placeOnOne({ model, request, nodes }: PlaceQuestion): Placement {
  const bytes = model.info.layerBytes[0] ?? 0;
  const room = ({ memoryCap, stages }: NodeRecord): number =>
    (memoryCap ?? Number.POSITIVE_INFINITY) - stages.reduce((sum, { memory }) => sum + memory.weights, 0);
  const order = nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const named = order.find(({ id }) => id === (request.head ?? request.preferredHead));
  const head = [...(named === undefined ? [] : [named]), ...(request.head === null ? order : [])].find(
    (node) => room(node) >= bytes,
  );
  if (head === undefined) throw new ExoError("out_of_memory", `${model.id} does not fit.`);
  const memory = { weights: bytes, kvCache: 0, compute: 0 };
  const stage = { nodeId: head.id, layerBegin: 0, layerEnd: 1, hasEmbedding: true, hasOutput: true, memory };
  const unused = nodes.filter(({ id }) => id !== head.id).map(({ id }) => ({ nodeId: id, reason: "not needed" }));
  return {
    plan: {
      model: model.id,
      layerCount: 1,
      stages: [stage],
      head: head.id,
      unused,
      strategy: request.strategy,
      predicted: null,
      reasons: [],
    },
    ring: { ...request.ring, contextSize: request.contextSize ?? 64 },
  };
}

function clientOf(node: ManagedNode, network: ManagerNetwork): PeerClient {
  const unused = (): never => {
    throw new ExoError("internal", "These nodes do not ask each other that.");
  };
  const reached = (): void => {
    if (!network.nodes.has(node.id)) throw new ExoError("peer_unreachable", `${node.id} is gone.`);
  };
  return {
    hello: unused,
    gossip: unused,
    probeModel: unused,
    offerModel: unused,
    hashModel: unused,
    readModel: unused,
    loadStage: async function* () {
      reached();
      if (node.cannotLoad !== null) throw node.cannotLoad;
      yield { type: "done", stage: LOADED };
    },
    unloadStage: async () => reached(),
    drain: async (draining) => {
      reached();
      node.draining = draining;
    },
    generate: unused,
    embed: unused,
    tokenize: unused,
    detokenize: unused,
    applyTemplate: unused,
    close: () => {},
    interrupt: () => {},
    health: async () => {
      reached();
      return { record: structuredClone(node.record()), uptimeSeconds: 1 };
    },
    placeModel: async ({ ringId, request, askedBy }) => {
      reached();
      // As it would arrive over the wire.
      return structuredClone(node.manager.placeHere(ringId, parseModelRequest(request), askedBy));
    },
    readTraces: async () => [],
    stopModel: async (order) => {
      reached();
      return node.manager.stopHere(order);
    },
  };
}
