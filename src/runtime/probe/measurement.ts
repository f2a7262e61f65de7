import { join } from "node:path";
import type { LinkRecord } from "../../cluster/link-record.js";
import type { Membership } from "../../cluster/membership.js";
import { type NodeRecord, parseNodeRecord } from "../../cluster/node-record.js";
import type { Power } from "../../cluster/power-record.js";
import type { Service } from "../../core/lifecycle.js";
import type { Clock, Logger } from "../../core/ports.js";
import type { ModelHeader, ResolveOptions } from "../../model/resolved-model.js";
import { listDevices } from "../../native/devices.js";
import { areCoresShared } from "../../planning/core-share.js";
import type { ModelSpeed, Speeds } from "../../planning/speeds.js";
import { usableMemory } from "../../planning/topology.js";
import type { Caller } from "../../transport/caller.js";
import type { TransportCredentials } from "../../transport/credentials.js";
import { EchoClient } from "../../transport/echo-client.js";
import type { ProbeModelRequest } from "../../transport/node-service.js";
import type { LocalRings } from "../local-rings.js";
import type { OwnCompute } from "../own-compute.js";
import type { StageHost } from "../stage-host.js";
import { lastLevelCacheBytes, uncachedBytes } from "./cache-size.js";
import { probeDevice } from "./device-probe.js";
import { gatherSpeeds, linksOf, type SpeedsRequest } from "./gather-speeds.js";
import { HopOverhead } from "./hop-overhead.js";
import { LinkProbe } from "./link-probe.js";
import { ModelProbe } from "./model-probe.js";
import { powerSource } from "./power-source.js";
import { readProbeModel } from "./probe-model.js";
import { type Activity, Quiet } from "./quiet.js";
import { SpeedCache } from "./speed-cache.js";
import { StageUses } from "./stage-uses.js";

export interface MeasurementOptions {
  readonly nodeId: string;
  /** What this node says of itself now. */
  readonly record: () => NodeRecord;
  readonly cacheDir: string;
  readonly compute: OwnCompute;
  readonly models: { header(spec: string, options: ResolveOptions): Promise<ModelHeader> };
  readonly membership: Membership;
  readonly rings: LocalRings;
  readonly stages: StageHost;
  readonly credentials: TransportCredentials;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LEARN_MS = 10_000;
const POWER_MS = 60_000;
/** For the nodes of a plan to say what they measured; those that have not by then are planned without. */
const GATHER_MS = 45_000;
const ECHO_DEADLINE_MS = 5_000;
/** For links to be measured before a model is: the one would be in the way of the other. */
const LINKS_MS = 3_000;
/** Of a row of hidden states before any model is known: 4096 numbers. */
const COMMON_ROW_BYTES = 16_384;
const F32_BYTES = 4;

/** All that this node measures of itself and of the ways to others, and learns from the requests it answers. */
export class Measurement implements Service {
  readonly name = "measurement";
  readonly #options: MeasurementOptions;
  readonly #models: ModelProbe;
  readonly #links: LinkProbe;
  readonly #uses: StageUses;
  readonly #overhead = new HopOverhead();
  readonly #stop = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #power: Power = "unknown";

  constructor(options: MeasurementOptions) {
    this.#options = options;
    this.#uses = new StageUses(options.rings, options.stages);
    this.#models = this.#createModelProbe();
    this.#links = this.#createLinkProbe();
  }

  get power(): Power {
    return this.#power;
  }

  /** From this node to others. */
  links(): LinkRecord[] {
    return this.#links.links();
  }

  /** Of a model on this node; see `ModelProbe.speed`. */
  speed(request: ProbeModelRequest, signal: AbortSignal): Promise<ModelSpeed> {
    return this.#models.speed(request, AbortSignal.any([signal, this.#stop.signal]));
  }

  /**
   * Of a model on these nodes; see `gatherSpeeds`.
   *
   * @param withinMs most milliseconds that it may take; `null`: as long as measuring does
   */
  gather(
    nodes: readonly NodeRecord[],
    request: SpeedsRequest,
    signal: AbortSignal,
    withinMs: number | null = null,
  ): Promise<Speeds> {
    const { nodeId, membership, logger } = this.#options;
    const sources = {
      selfId: nodeId,
      own: (wanted: ProbeModelRequest, inTime: AbortSignal) => this.speed(wanted, inTime),
      find: (id: string) => membership.find(id),
      links: (node: NodeRecord) => this.#linksFrom(node),
      hopOverhead: () => this.#overhead.seconds,
      logger,
    };
    return gatherSpeeds(sources, nodes, request, withinMs ?? GATHER_MS, signal);
  }

  async start(): Promise<void> {
    await this.#readPower();
    await this.#links.start();
    this.#timers.push(
      setInterval(() => void this.#learn(), LEARN_MS).unref(),
      setInterval(() => void this.#readPower(), POWER_MS).unref(),
    );
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#stop.abort();
    await this.#links.stop();
    await this.#models.idle();
  }

  async #readPower(): Promise<void> {
    this.#power = await powerSource();
  }

  async #learn(): Promise<void> {
    const { nodeId, rings, membership } = this.#options;
    await this.#models.learn(this.#uses.take(), this.#sharesCores());
    const own = { id: nodeId, links: this.links() };
    const links = linksOf([own, ...membership.alive().map((member) => member.record)], 0);
    for (const placed of rings.list()) this.#overhead.learn(placed.record(), links);
  }

  /** Nodes of this machine that hold layers have more threads together than there are cores for them. */
  #sharesCores(): boolean {
    const { record, membership } = this.#options;
    const others = membership.alive().map((member) => member.record);
    const computing = others.filter(({ stages }) => stages.length > 0);
    return areCoresShared(record(), computing);
  }

  /** Of another node, as it says now; as it said last where it does not answer. */
  async #linksFrom({ id, links }: NodeRecord): Promise<readonly LinkRecord[]> {
    const { nodeId, membership } = this.#options;
    if (id === nodeId) return this.links();
    const asked = membership.find(id)?.client.health();
    return asked === undefined ? links : asked.then(({ record }) => parseNodeRecord(record).links).catch(() => links);
  }

  #createModelProbe(): ModelProbe {
    const { cacheDir, compute, models, caller, clock, logger } = this.#options;
    return new ModelProbe({
      header: async (spec, signal) => readProbeModel((await models.header(spec, { signal })).path),
      compute: (cores) => compute.settings(cores),
      memory: () => this.#usableMemory(),
      probe: probeDevice,
      cache: new SpeedCache(join(cacheDir, "speeds")),
      linksSettled: (signal) => this.#links.settled(LINKS_MS, signal),
      quiet: new Quiet({ activity: () => this.#activity(), clock }),
      directory: join(cacheDir, "probes"),
      cacheBytes: async () => uncachedBytes(await lastLevelCacheBytes()),
      processor: listDevices()
        .map(({ name, description }) => `${name} ${description}`)
        .join(", "),
      llamaCommit: caller.llamaCommit,
      lifetime: this.#stop.signal,
      clock,
      logger,
    });
  }

  #createLinkProbe(): LinkProbe {
    const { membership, credentials, caller, clock, logger } = this.#options;
    return new LinkProbe({
      peers: () => membership.alive(),
      onChange: (listener) => membership.onChange(listener),
      open: ({ address }) => new EchoClient({ address, credentials, caller, clock, deadlineMs: ECHO_DEADLINE_MS }),
      busy: () => this.#activity().busy || this.#models.probing,
      rowBytes: () => this.#rowBytes(),
      clock,
      logger,
    });
  }

  #activity(): Activity {
    const { rings, stages } = this.#options;
    const heads = rings.list().flatMap(({ head }) => head?.load() ?? []);
    const held = stages.held().reduce((sum, stage) => sum + stage.work().microBatches, 0);
    return {
      busy: stages.busy || heads.some(({ busySlots, waiting }) => busySlots + waiting > 0),
      microBatches: heads.reduce((sum, { work }) => sum + work.microBatches, held),
    };
  }

  /** Of this moment. Free memory tells what stages took of the machine; of what the owner offers that must be taken off. */
  #usableMemory(): number {
    const { stages, memoryCap, ...node } = this.#options.record();
    const taken = stages.reduce(
      (sum, { memory }) => sum + memory.weights + memory.kvCache + memory.compute + memory.output,
      0,
    );
    return usableMemory({ ...node, memoryCap: memoryCap === null ? null : Math.max(0, memoryCap - taken) });
  }

  /** Of the largest model that is answered here or elsewhere. */
  #rowBytes(): number {
    const { rings, membership } = this.#options;
    const records = [
      ...rings.list().map((placed) => placed.record()),
      ...membership.alive().flatMap((member) => member.record.rings),
    ];
    const largest = Math.max(0, ...records.map(({ card }) => card.embeddingSize));
    return largest === 0 ? COMMON_ROW_BYTES : largest * F32_BYTES;
  }
}
