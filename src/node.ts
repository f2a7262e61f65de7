import { createNodeApi } from "./api/node-api.js";
import type { Doctor } from "./api/ports.js";
import type { Api } from "./api/server.js";
import { givenRequests } from "./cluster/given-requests.js";
import { loadNodeId } from "./cluster/identity.js";
import { canonicalSpec } from "./cluster/known-models.js";
import { machineOf } from "./cluster/machine.js";
import { Membership } from "./cluster/membership.js";
import type { ModelManager } from "./cluster/model-manager.js";
import type { NodeRecord } from "./cluster/node-record.js";
import { ownAddresses } from "./cluster/own-addresses.js";
import { followProgress, type PlacementProgress } from "./cluster/placement-progress.js";
import type { ClusterTrust } from "./cluster/trust/cluster-trust.js";
import { discoverySettings, openTrust } from "./cluster/trust/open-trust.js";
import { formatHostPort, type HostPort } from "./config/address.js";
import { clusterOf } from "./config/cluster-name.js";
import type { Config } from "./config/config.js";
import { ExoError } from "./core/errors.js";
import { shortId } from "./core/ids.js";
import { ServiceGroup, stoppingService } from "./core/lifecycle.js";
import { packageVersion } from "./core/package.js";
import { type Logger, systemClock } from "./core/ports.js";
import { createDiscovery } from "./discovery/create-discovery.js";
import type { Discovery } from "./discovery/discovery.js";
import { LocalInterfaces } from "./discovery/interfaces.js";
import type { ExoNode, NodeOptions } from "./exo-node.js";
import { coreLimitGroup, hostMemory } from "./native/devices.js";
import { libraryInfo } from "./native/load.js";
import { setNativeLogger } from "./native/log.js";
import { createManager } from "./runtime/create-manager.js";
import { createPlanner } from "./runtime/create-planner.js";
import { createRouter } from "./runtime/create-router.js";
import { KeptStages } from "./runtime/kept-stages.js";
import { LocalRings } from "./runtime/local-rings.js";
import { MemoryCap } from "./runtime/memory-cap.js";
import { MemoryWatch } from "./runtime/memory-watch.js";
import { NodeMeters } from "./runtime/meters.js";
import { ModelSupply } from "./runtime/model-supply.js";
import { credentialsFor, NodeTrust } from "./runtime/node-trust.js";
import { OwnCompute } from "./runtime/own-compute.js";
import { ownRecord } from "./runtime/own-record.js";
import { PeerService } from "./runtime/peer-service.js";
import { Measurement } from "./runtime/probe/measurement.js";
import type { RingHead } from "./runtime/ring-head.js";
import type { Router } from "./runtime/router.js";
import { StageHost } from "./runtime/stage-host.js";
import { StageWatchdog } from "./runtime/stage-watchdog.js";
import { TraceBuffer } from "./runtime/tracing/trace-buffer.js";
import { type NodeBuild, PROTOCOL_VERSION } from "./transport/compatibility.js";
import { ControlClient } from "./transport/control-client.js";
import type { TransportCredentials } from "./transport/credentials.js";
import { HopServer } from "./transport/hop-server.js";
import type { NodeHello } from "./transport/node-service.js";
import { anyHost, reachableHost } from "./transport/reachable-host.js";
import { TransportServer } from "./transport/transport-server.js";

export type { ExoNode, NodeOptions } from "./exo-node.js";

const HEARTBEAT_MS = 500;
const MISSES_UNTIL_GONE = 3;

/** Starts a node. A failed start stops what had started and rejects with an `ExoError`. */
export async function startNode(options: NodeOptions): Promise<ExoNode> {
  const { config, logger } = options;
  setNativeLogger(logger);
  const trust = await openTrust(config, logger);
  const { port } = config.grpc;
  const id = trust?.nodeId(port) ?? options.nodeId ?? (await loadNodeId(config.paths.configDir, port));
  const machine = await machineOf(coreLimitGroup());
  const node = new RunningNode(options, id, machine, await credentialsFor(trust, config.open), trust);
  await node.start();
  return node;
}

/** The composition root: makes every part and tells it of the others. */
class RunningNode implements ExoNode {
  readonly id: string;
  readonly name: string;
  readonly inference: Router;
  readonly #config: Config;
  readonly #doctor: Doctor | undefined;
  readonly #logger: Logger;
  readonly #credentials: TransportCredentials;
  readonly #keys: ClusterTrust | null;
  readonly #trust: NodeTrust | null;
  readonly #build: NodeBuild;
  readonly #compute: OwnCompute;
  readonly #models: ModelSupply;
  readonly #memory: MemoryWatch;
  readonly #watchdog: StageWatchdog;
  readonly #hops: HopServer;
  readonly #kept: KeptStages;
  readonly #stages: StageHost;
  readonly #measurement: Measurement;
  readonly #manager: ModelManager<RingHead>;
  readonly #rings: LocalRings;
  readonly #interfaces = new LocalInterfaces();
  readonly #traces: TraceBuffer;
  readonly #meters = new NodeMeters();
  readonly #membership: Membership;
  readonly #discovery: Discovery;
  readonly #transport: TransportServer;
  readonly #api: Api;
  readonly #services: ServiceGroup;
  readonly #version = packageVersion();
  /** Tells this process from others with the same id. */
  readonly #instance = shortId();
  #draining = false;
  #stopping: Promise<void> | null = null;

  constructor(
    { config, logger, doctor, onHang = () => {} }: NodeOptions,
    id: string,
    machine: string,
    credentials: TransportCredentials,
    keys: ClusterTrust | null,
  ) {
    const { llama_tag, llama_commit } = libraryInfo();
    this.id = id;
    this.name = config.name;
    this.#config = config;
    this.#doctor = doctor;
    this.#logger = logger;
    this.#credentials = credentials;
    this.#keys = keys;
    this.#build = {
      cluster: keys?.cluster ?? clusterOf(config),
      protocolVersion: PROTOCOL_VERSION,
      llamaTag: llama_tag,
      llamaCommit: llama_commit,
    };
    this.#traces = new TraceBuffer({ nodeId: id, rate: config.traces, clock: systemClock });
    this.#compute = new OwnCompute({
      id,
      machine,
      settings: config,
      others: () => this.#membership.alive().map((member) => member.record),
    });
    this.#models = new ModelSupply({
      config,
      logger,
      members: () => this.#membership.alive(),
      connect: (peer) => this.#connect(peer, { bulk: true }),
    });
    const memory = new MemoryCap(config.memory, logger);
    this.#membership = this.#createMembership();
    this.#trust = keys === null ? null : this.#createTrust(keys);
    this.#hops = new HopServer(this.#build, logger, this.#membership.watch);
    this.#memory = new MemoryWatch({ memory: hostMemory, logger });
    const ended = (reason: ExoError): void => {
      this.inference.close(reason);
      onHang(reason);
    };
    this.#watchdog = new StageWatchdog({
      leastSeconds: config.stageTimeout,
      clock: systemClock,
      logger,
      onHang: ended,
    });
    this.#discovery = createDiscovery({
      config: discoverySettings(config, keys),
      probe: (address, signal) => this.#membership.probe(address, signal),
      interfaces: this.#interfaces,
      own: () => this.#hello(),
      logger,
    });
    this.#kept = new KeptStages({ logger });
    this.#stages = new StageHost({
      kept: this.#kept,
      ports: this.#hopPorts(),
      compute: (cores) => this.#compute.settings(cores),
      memory,
      models: this.#models.forHeads(),
      requireMemory: () => this.#memory.requireRoom(),
      addressOf: (nodeId) => this.#membership.find(nodeId)?.address ?? null,
    });
    this.#manager = createManager({
      config,
      self: { id, name: config.name },
      ownRecord: () => this.#record(),
      membership: this.#membership,
      store: this.#models,
      compute: this.#compute,
      ports: { ...this.#hopPorts(), memory, kept: this.#kept, traces: this.#traces },
      setDraining: (draining) => this.#setDraining(draining),
      meters: this.#meters,
      requireMemory: () => this.#memory.requireRoom(),
      measure: (nodes, request, signal, withinMs) => this.#measurement.gather(nodes, request, signal, withinMs),
    });
    this.#rings = new LocalRings(() => this.#manager.local());
    this.#measurement = this.#createMeasurement();
    const [local, directory, membership, traces] = [this.#rings, this.#manager, this.#membership, this.#traces];
    this.inference = createRouter({ config, local, directory, membership, traces, logger });
    this.#transport = this.#createTransport();
    this.#api = this.#createApi();
    this.#services = new ServiceGroup(`node ${this.name}`, [
      this.#memory,
      this.#models,
      stoppingService("stages", () => this.#stages.close()),
      this.#transport,
      this.#membership,
      ...(this.#trust === null ? [] : [this.#trust.keeper]),
      this.#measurement,
      this.#discovery,
      this.#manager,
      this.#api,
    ]);
  }

  get httpUrl(): string {
    return this.#api.address?.url ?? "";
  }

  get grpcAddress(): string {
    return formatHostPort(this.#transport.address);
  }

  get cluster() {
    return this.#keys === null ? null : { name: this.#keys.cluster, role: this.#keys.own.role };
  }

  async start(): Promise<void> {
    await this.#manager.prepare(givenRequests(this.#config, this.id));
    await this.#services.start();
    this.#membership.follow(this.#discovery);
    this.#logger.info({ node: this.name, http: this.httpUrl, grpc: this.grpcAddress }, "node started");
  }

  async whenReady(signal: AbortSignal): Promise<string> {
    const { model } = this.#config;
    if (model === null) throw new ExoError("invalid_argument", "The node was started without a model.");
    return this.#manager.whenReady(model, signal);
  }

  onPlacementProgress(listener: (progress: PlacementProgress) => void): void {
    const { model } = this.#config;
    if (model !== null) followProgress(this.#manager, canonicalSpec(model), listener);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#leave();
    return this.#stopping;
  }

  /** The others need not find out that it is gone. */
  async #leave(): Promise<void> {
    await this.#membership.leave();
    await this.#services.stop();
  }

  #setDraining(draining: boolean): void {
    if (this.#draining === draining) return;
    this.#draining = draining;
    this.#logger.info({ draining }, draining ? "this node is being drained" : "this node takes layers again");
    this.#manager.tick();
  }

  /** This one first. */
  #nodes(): readonly NodeRecord[] {
    return [this.#record(), ...this.#membership.alive().map((member) => member.record)];
  }

  #hopPorts() {
    return {
      hopServer: this.#hops,
      credentials: this.#credentials,
      build: this.#build,
      nodeId: this.id,
      watch: this.#membership.watch,
      watchdog: this.#watchdog,
      clock: systemClock,
      logger: this.#logger,
    };
  }

  #hello(): NodeHello {
    return {
      ...this.#build,
      nodeId: this.id,
      name: this.name,
      version: this.#version,
      capabilities: [],
      grpcPort: this.#transport.address.port,
      timeMs: systemClock.wall(),
      instance: this.#instance,
    };
  }

  #record(): NodeRecord {
    return ownRecord({
      ...this.#membership.stamp(),
      name: this.name,
      version: this.#version,
      llamaTag: this.#build.llamaTag,
      grpcPort: this.#transport.address.port,
      addresses: [...ownAddresses(this.#transport.address, this.#interfaces.list())],
      httpAddress: this.#api.address?.url ?? null,
      devices: this.#compute.devices(),
      machine: this.#compute.machine,
      cores: [...this.#compute.cores],
      threads: this.#compute.threads,
      memoryCap: this.#config.memory,
      knows: this.#membership.alive().map((member) => member.id),
      rings: this.#manager.local().map((placed) => placed.record()),
      held: this.#stages.held(),
      kept: this.#kept.list(),
      draining: this.#draining,
      ...this.#models.records(),
      unfit: this.#manager.unfit.records(),
      power: this.#measurement.power,
      links: this.#measurement.links(),
    });
  }

  #createMeasurement(): Measurement {
    return new Measurement({
      ...this.#hopPorts(),
      caller: { ...this.#build, nodeId: this.id },
      record: () => this.#record(),
      cacheDir: this.#config.paths.cacheDir,
      compute: this.#compute,
      models: this.#models,
      membership: this.#membership,
      rings: this.#rings,
      stages: this.#stages,
    });
  }

  #createMembership(): Membership {
    return new Membership({
      hello: () => this.#hello(),
      record: () => this.#record(),
      connect: (peer) => this.#connect(peer),
      ownAddress: () => this.#reachableAddress(),
      kindOf: async (host) => (await this.#interfaces.linkTo(host))?.kind ?? null,
      heartbeatMs: HEARTBEAT_MS,
      missesUntilGone: MISSES_UNTIL_GONE,
      logger: this.#logger,
    });
  }

  #connect(peer: HostPort, options: { readonly bulk?: boolean } = {}): ControlClient {
    const caller = { ...this.#build, nodeId: this.id };
    return new ControlClient({ peer, credentials: this.#credentials, caller, ...options });
  }

  #reachableAddress(): HostPort {
    const { host, port } = this.#transport.address;
    return { host: reachableHost(host), port };
  }

  #createTrust(trust: ClusterTrust): NodeTrust {
    return new NodeTrust({
      trust,
      credentials: this.#credentials,
      id: this.id,
      name: this.name,
      membership: () => this.#membership,
      logger: this.#logger,
    });
  }

  #createTransport(): TransportServer {
    const { grpc, open } = this.#config;
    const service = new PeerService({
      hello: () => this.#hello(),
      record: () => this.#membership.ownRecord(),
      membership: this.#membership,
      stages: this.#stages,
      rings: this.#rings,
      models: this.#manager,
      speeds: this.#measurement,
      served: this.#models.served,
      setDraining: (draining) => this.#setDraining(draining),
      traces: this.#traces,
      clock: systemClock,
    });
    return new TransportServer({
      listen: { host: grpc.host ?? (open || this.#keys !== null ? anyHost() : "127.0.0.1"), port: grpc.port },
      credentials: this.#credentials,
      build: this.#build,
      service,
      hops: this.#hops,
      watch: this.#membership.watch,
      logger: this.#logger,
      ...this.#trust?.server,
    });
  }

  #createApi(): Api {
    return createNodeApi({
      config: this.#config,
      self: () => this.#record(),
      selfAddress: () => formatHostPort(this.#reachableAddress()),
      library: this.#models,
      systemFingerprint: `exo-native-${this.#version}-llama.cpp-${this.#build.llamaTag}`,
      ...(this.#doctor === undefined ? {} : { doctor: this.#doctor }),
      inference: this.inference,
      membership: this.#membership,
      refused: () => this.#trust?.refusals.list() ?? [],
      discovery: this.#discovery,
      manager: this.#manager,
      planner: createPlanner({
        config: this.#config,
        models: this.#models,
        nodes: () => this.#nodes(),
        measurement: this.#measurement,
        unfit: this.#manager.unfit,
      }),
      stages: this.#stages,
      traces: this.#traces,
      meters: this.#meters,
      memory: this.#memory,
      logger: this.#logger,
    });
  }
}
