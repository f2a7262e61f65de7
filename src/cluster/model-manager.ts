import type { OnDemand } from "../config/config.js";
import { ExoError } from "../core/errors.js";
import type { Service } from "../core/lifecycle.js";
import type { StopModelOrder } from "../transport/node-service.js";
import { Changes } from "./changes.js";
import { type FoundRing, FoundRings } from "./found-rings.js";
import type { LoadedHead } from "./head-port.js";
import { canonicalSpec, type KnownModel, type KnownModels, specShaped } from "./known-models.js";
import { lostRing, requestLike } from "./lost-ring.js";
import type { MemberView } from "./member-view.js";
import { type LoadOptions, type ModelRequest, modelRequest, type RequestSettings } from "./model-request.js";
import type { ModelSource } from "./model-source.js";
import type { RingRecord } from "./node-record.js";
import { OwnRings, type OwnRingsOptions } from "./own-rings.js";
import { isFor } from "./pinned-models.js";
import type { PlacedModel } from "./placed-model.js";
import { RingPlanner, type RingPlannerOptions } from "./ring-planner.js";
import { RingReplanning, type RingReplanningOptions } from "./ring-replanning.js";
import { RingUpkeep, type RingUpkeepOptions } from "./ring-upkeep.js";
import { UnfitNodes } from "./unfit-nodes.js";

export interface ModelManagerOptions<Head extends LoadedHead>
  extends Pick<RingPlannerOptions, "ownRecord" | "place" | "copies" | "gatherSpeeds">,
    Pick<OwnRingsOptions<Head>, "createRing" | "settleMs">,
    Pick<RingReplanningOptions, "worthReplacing" | "replanAfterMs" | "remeasureAfterMs" | "idleMomentMs">,
    Pick<RingUpkeepOptions<Head>, "pins" | "failedMs" | "clock" | "logger"> {
  readonly selfId: string;
  readonly membership: Pick<MemberView, "alive" | "members" | "find" | "onChange">;
  readonly models: Pick<ModelSource, "header">;
  readonly known: KnownModels;
  readonly settings: RequestSettings;
  readonly onDemand: OnDemand;
  /** Between two looks at what has changed. */
  readonly tickMs: number;
}

/**
 * The models of the cluster as this node takes part in them: it answers for its own rings, knows those of others, has
 * models loaded that are asked for, and agrees with the other nodes, without a master, on one ring where several were asked
 * for the same.
 */
export class ModelManager<Head extends LoadedHead> implements Service {
  readonly name = "models";
  readonly unfit: Pick<UnfitNodes, "among" | "records">;
  readonly #options: ModelManagerOptions<Head>;
  readonly #changes = new Changes();
  readonly #found: FoundRings;
  readonly #planner: RingPlanner;
  readonly #own: OwnRings<Head>;
  readonly #upkeep: RingUpkeep<Head>;
  #unsubscribe: (() => void) | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ModelManagerOptions<Head>) {
    const { selfId } = options;
    this.#options = options;
    this.#found = new FoundRings({ ...options, own: () => this.#own.records() });
    const told = () => options.membership.alive().flatMap(({ record }) => record.unfit);
    const unfit = new UnfitNodes(options.clock, told);
    this.unfit = unfit;
    this.#planner = new RingPlanner({ ...options, unfit, evict: (ring) => this.#evict(ring) });
    this.#own = new OwnRings({
      ...options,
      self: { id: selfId },
      found: this.#found,
      planner: this.#planner,
      unfit,
      onChange: () => this.#changes.notify(),
    });
    this.#upkeep = new RingUpkeep({
      ...options,
      own: this.#own,
      found: this.#found,
      replanning: new RingReplanning({ ...options, planner: this.#planner, unfit }),
      pinThere: (request, found) => this.#pinThere(request, found),
    });
  }

  /** The rings whose head this node is, or is about to be. */
  local(): readonly PlacedModel<Head>[] {
    return this.#own.list();
  }

  /** Every ring of the cluster that this node knows of. */
  list(): readonly FoundRing[] {
    return this.#found.all();
  }

  /** Rings that answer to this name now, or may soon. */
  serving(name: string): readonly FoundRing[] {
    return this.#found.named(name).filter(({ ring, reachable }) => reachable && !ring.draining);
  }

  /** Models that are loaded when they are asked for. */
  loadable(): readonly KnownModel[] {
    return this.#options.onDemand === "off" ? [] : this.#options.known.list();
  }

  /** Calls back when rings may have changed. Returns the way to unsubscribe. */
  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Takes up what is to be kept loaded, so that peers hear of it from the first word on. Nothing is loaded yet. */
  async prepare(given: readonly ModelRequest[]): Promise<void> {
    const { pins, membership } = this.#options;
    await pins.restore(given);
    for (const request of pins.list()) if (this.#own.hasRoom) this.#own.propose(request);
    this.#unsubscribe = membership.onChange(() => {
      this.#own.membersChanged();
      this.tick();
    });
  }

  /** Peers can reach this node: what was taken up goes on. */
  async start(): Promise<void> {
    this.#own.begin();
    this.#timer = setInterval(() => this.tick(), this.#options.tickMs);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#unsubscribe?.();
    await this.#own.stop();
  }

  /** Looks after the rings of this node; called now and then. */
  tick(): void {
    this.#upkeep.check();
    this.#changes.notify();
  }

  /**
   * Resolves with the API's name of a model that can be asked now: at once when it is loaded, later when it is being loaded
   * or can be. Rejects with `model_not_found` or `not_ready` and the reason otherwise.
   */
  async ensure(name: string, signal: AbortSignal): Promise<string> {
    for (;;) {
      if (signal.aborted) throw new ExoError("cancelled", "The model is no longer waited for.");
      const rings = this.serving(name).map(({ ring }) => ring);
      const ready = rings.find(({ state }) => state === "ready");
      if (ready !== undefined) return ready.model;
      const [first] = rings;
      if (first !== undefined && !rings.some(({ state }) => state === "loading")) throw this.#notReady(first);
      if (first === undefined) this.#loadOnDemand(name);
      // Or its head does not answer just now.
      if (first !== undefined || this.serving(name).length === 0) await this.#changes.next(signal);
    }
  }

  /** Has a model loaded, unless it is already, whichever node becomes its head. */
  async load(model: string, options: LoadOptions = {}): Promise<RingRecord> {
    const { settings, pins } = this.#options;
    const spec = this.#known(model) ?? specOf(model);
    const requests = await this.#replicas(modelRequest(spec, settings, options), options.replicas ?? 1);
    for (const one of requests.filter(({ pinned }) => pinned)) await pins.keep(one);
    const [first] = requests.map((one) => this.#ringFor(one));
    if (first === undefined)
      throw new ExoError("invalid_argument", "Ask for one ring at least.", { param: "replicas" });
    return first;
  }

  /** Takes a ring down, wherever its head is, and no node wants it back. Its requests end with an error. */
  async unload(ringId: string): Promise<RingRecord> {
    const found = this.#found.find(ringId);
    if (found === null) throw noSuchRing(ringId);
    const order = stopOrder(found.ring, false);
    // Who wants it is told first, or it would be proposed again at once.
    const others = this.#options.membership.alive().filter(({ id }) => id !== found.head);
    await Promise.allSettled(others.map(({ client }) => client.stopModel(order)));
    await this.stopHere(order);
    if (found.client !== null) {
      await found.client.stopModel(order);
      this.#found.tookDown(ringId);
    }
    return found.ring;
  }

  /** Resolves with the API's name when a ring of the model is ready; rejects when it is clear that none will be. */
  async whenReady(model: string, signal: AbortSignal): Promise<string> {
    const name = canonicalSpec(model);
    for (;;) {
      if (signal.aborted) throw new ExoError("cancelled", "Waiting was cancelled.");
      const rings = this.serving(name).map(({ ring }) => ring);
      const ready = rings.find(({ state }) => state === "ready");
      if (ready !== undefined) return ready.model;
      const [failed] = rings;
      if (failed !== undefined && rings.every(({ gaveUp }) => gaveUp)) throw this.#failureOf(failed);
      const wanted = this.#options.pins.list().some(({ spec }) => spec === name);
      if (rings.length === 0 && !wanted) throw new ExoError("not_ready", `${model} was unloaded before it was ready.`);
      await this.#changes.next(signal);
    }
  }

  /** For a peer that planned a ring with this node as its head, or wants one of its rings pinned. */
  placeHere(ringId: string, request: ModelRequest, askedBy: string): RingRecord {
    return this.#own.takeOn(ringId, request, askedBy);
  }

  /** For a peer that has a model unloaded; says whether a ring was taken down here. */
  async stopHere(order: StopModelOrder): Promise<boolean> {
    if (!order.onlyIfIdle) await this.#options.pins.forget(order);
    const placed = this.#own.find(order.ringId);
    if (placed === null) return false;
    const { pinned, idleSeconds } = placed.record();
    if (order.onlyIfIdle && (pinned || idleSeconds === null)) return false;
    // Nor shall answers that it was in the middle of wait for it to come back.
    await this.#own.remove(placed, new ExoError("not_ready", "The model was unloaded.", { retryable: false }));
    return true;
  }

  /** The ring that there is for this request, or a new one. */
  #ringFor(request: ModelRequest): RingRecord {
    const found = this.list().find(({ ring }) => isFor(request, ring) && !ring.draining && !ring.gaveUp);
    if (found !== undefined) {
      if (request.pinned) this.#pinThere(request, found);
      return found.ring;
    }
    // One that failed here is tried again.
    for (const placed of this.local()) {
      if (placed.failure !== null && isFor(request, placed.record())) void this.#own.remove(placed, placed.failure);
    }
    return this.#own.propose(request).record();
  }

  #pinThere(request: ModelRequest, { ring, client }: FoundRing): void {
    if (ring.pinned) return;
    if (client === null) this.#own.find(ring.id)?.pin();
    // The next look tries again.
    else client.placeModel({ ringId: ring.id, request, askedBy: this.#options.selfId }).catch(() => {});
  }

  /** One request, or one for each node that is to hold the whole model. */
  async #replicas(request: ModelRequest, count: number): Promise<readonly ModelRequest[]> {
    if (count <= 1) return [request];
    const model = await this.#options.models.header(request.spec, {});
    const heads = await this.#planner.replicaHeads(model, request, count);
    return heads.map((head, replica) => ({ ...request, replica, head, nodes: [head], layers: null, minNodes: 1 }));
  }

  /** The spec of a model that is known by this name, as `KnownModels.find` has it. */
  #known(name: string): string | null {
    const loaded = new Set(this.#found.named(name).flatMap(({ ring }) => [ring.spec, ring.askedAs]));
    return this.#options.known.find(name, (spec) => loaded.has(spec));
  }

  #loadOnDemand(name: string): void {
    const { onDemand, settings, membership } = this.#options;
    // A head that is lost is not what the user forbade or allowed: its ring comes back with another one.
    const lost = lostRing(membership.members(), name);
    if (lost !== null) {
      this.#ringFor(requestLike(lost, settings));
      return;
    }
    const found = onDemand === "off" ? null : this.#known(name);
    const spec = found ?? (onDemand === "any" ? specShaped(name) : null);
    if (spec === null) throw this.#silentHead(name) ?? notKnown(name, onDemand, this.#names());
    this.#ringFor(modelRequest(spec, settings));
  }

  /** A model that is there, though its head does not answer just now: to be asked for again. */
  #silentHead(name: string): ExoError | null {
    const found = this.#found.named(name).find(({ ring, reachable }) => !reachable && !ring.draining && !ring.gaveUp);
    if (found === undefined) return null;
    return new ExoError(
      "not_ready",
      `${found.ring.model} cannot answer now: the node that is its head does not answer.`,
    );
  }

  /** Of all models that can be asked for. */
  #names(): readonly string[] {
    return [...new Set([...this.list().map(({ ring }) => ring.model), ...this.loadable().map(({ id }) => id)])];
  }

  async #evict(ring: RingRecord): Promise<boolean> {
    const order = stopOrder(ring, true);
    const client = this.#found.find(ring.id)?.client ?? null;
    return client === null ? this.stopHere(order) : client.stopModel(order);
  }

  #notReady(ring: RingRecord): ExoError {
    if (!ring.gaveUp) {
      return new ExoError("not_ready", `${ring.model} cannot answer now: ${ring.reason ?? `it is ${ring.state}.`}`);
    }
    const failure = this.#failureOf(ring);
    if (failure.code === "model_not_found") return failure;
    return new ExoError("not_ready", `${ring.model} cannot be loaded: ${failure.message}`, { retryable: false });
  }

  #failureOf(ring: RingRecord): ExoError {
    const here = this.#own.find(ring.id)?.failure ?? null;
    return here ?? new ExoError("not_ready", ring.reason ?? `${ring.model} cannot be loaded.`, { retryable: false });
  }
}

function stopOrder({ id: ringId, model, spec, askedAs, replica }: RingRecord, onlyIfIdle: boolean): StopModelOrder {
  return { ringId, model, spec, askedAs, replica, onlyIfIdle };
}

function specOf(model: string): string {
  const spec = specShaped(model);
  if (spec !== null) return spec;
  // Says what is wrong with it, if it can be no model at all.
  canonicalSpec(model);
  throw notKnown(model, "known");
}

const MOST_NAMES = 40;

function notKnown(name: string, onDemand: OnDemand, names: readonly string[] = []): ExoError {
  const why = onDemand === "off" ? "nothing is loaded on demand (--on-demand off)" : "none is known by that name";
  const listed = names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ", …" : "");
  const instead = listed === "" ? "GET /v1/models lists what there is" : `there are: ${listed}`;
  const message = `No node here runs ${JSON.stringify(name.slice(0, 200))}, and ${why}; ${instead}.`;
  return new ExoError("model_not_found", message, { param: "model" });
}

function noSuchRing(ringId: string): ExoError {
  const message = `There is no ring ${JSON.stringify(ringId.slice(0, 100))}; GET /cluster lists the rings.`;
  return new ExoError("model_not_found", message, { param: "id" });
}
