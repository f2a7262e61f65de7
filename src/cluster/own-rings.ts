import { ExoError } from "../core/errors.js";
import { shortId } from "../core/ids.js";
import type { Clock } from "../core/ports.js";
import { pause } from "../core/waiting.js";
import type { Plan } from "../planning/plan.js";
import type { FoundRings } from "./found-rings.js";
import type { LoadedHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { ModelRequest } from "./model-request.js";
import { parseRingRecord, type RingRecord } from "./node-record.js";
import { isFor } from "./pinned-models.js";
import type { PlacedModel, PlacedModelOptions } from "./placed-model.js";
import { proposalsOf, type RingProposal, sameRing, winnerOf } from "./ring-contest.js";
import type { RingPlanner } from "./ring-planner.js";
import type { UnfitNodes } from "./unfit-nodes.js";

/** What is said of a ring that is to be; where its model comes from and who computes it is the maker's matter. */
export type RingSetup<Head extends LoadedHead> = Pick<
  PlacedModelOptions<Head>,
  "ringId" | "request" | "proposedBy" | "unfit" | "mayPlace" | "place" | "handOver" | "onChange"
>;

export interface OwnRingsOptions<Head extends LoadedHead> {
  readonly self: { readonly id: string };
  readonly membership: Pick<MemberView, "find">;
  readonly found: FoundRings;
  readonly planner: RingPlanner;
  readonly unfit: UnfitNodes;
  readonly createRing: (setup: RingSetup<Head>) => PlacedModel<Head>;
  readonly onChange: () => void;
  /** Nodes find each other one by one: nothing is placed before none has come or gone for so long. */
  readonly settleMs: number;
  readonly clock: Clock;
}

/** Each is told of in this node's record, which all others read. */
const MOST_RINGS = 64;

/** So many times `settleMs`, and no longer, nodes that come and go keep a ring waiting. */
const MOST_SETTLING = 5;

/** The rings whose head this node is, or will be unless another one is. */
export class OwnRings<Head extends LoadedHead> {
  readonly #options: OwnRingsOptions<Head>;
  readonly #placed = new Map<string, PlacedModel<Head>>();
  readonly #leaving = new Set<Promise<void>>();
  #membersChangedAt: number;
  #begun = false;

  constructor(options: OwnRingsOptions<Head>) {
    this.#options = options;
    this.#membersChangedAt = options.clock.monotonic();
  }

  list(): readonly PlacedModel<Head>[] {
    return [...this.#placed.values()];
  }

  find(ringId: string): PlacedModel<Head> | null {
    return this.#placed.get(ringId) ?? null;
  }

  /** A further ring may be proposed. */
  get hasRoom(): boolean {
    return this.#placed.size < MOST_RINGS;
  }

  records(): readonly RingRecord[] {
    return this.list().map((placed) => placed.record());
  }

  /** Peers can reach this node now, so what was proposed goes on. */
  begin(): void {
    this.#begun = true;
    for (const placed of this.list()) placed.start();
  }

  /** Nodes came or went. */
  membersChanged(): void {
    this.#membersChangedAt = this.#options.clock.monotonic();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.list().map((placed) => placed.stop()), ...this.#leaving]);
  }

  /**
   * A ring whose head this node is, until a plan says otherwise. Peers hear of it with their next look at this node. Throws
   * `overloaded` when there are too many.
   */
  propose(request: ModelRequest, ringId = shortId(), proposedBy = this.#options.self.id): PlacedModel<Head> {
    const { planner, unfit, createRing, onChange } = this.#options;
    if (!this.hasRoom) {
      throw new ExoError(
        "overloaded",
        `This node is, or tries to become, the head of ${MOST_RINGS} rings, which is as many as it takes; unload one.`,
      );
    }
    const placed: PlacedModel<Head> = createRing({
      ringId,
      request,
      proposedBy,
      unfit,
      mayPlace: (signal) => this.#mayPlace(placed, signal),
      place: async (model, wanted, signal, remains) => {
        const copies = remains === null ? await planner.copies(model, wanted, signal) : [];
        if (copies.length > 1) this.#copy(placed, copies);
        return planner.place(ringId, model, placed.request, signal, remains);
      },
      handOver: (plan, wanted) => this.#handOver(placed, plan, wanted),
      onChange,
    });
    this.#placed.set(ringId, placed);
    if (this.#begun) placed.start();
    return placed;
  }

  /** Instead of one ring a copy of the model on each of these nodes, this ring being the first. */
  #copy(placed: PlacedModel<Head>, heads: readonly string[]): void {
    const { self, found } = this.#options;
    const own = heads.includes(self.id) ? [self.id] : [];
    const order = [...own, ...heads.filter((head) => head !== self.id)];
    for (const [replica, head] of order.entries()) {
      const request = { ...placed.request, replica, head, nodes: [head], minNodes: 1 };
      const record = { ...placed.record(), replica };
      if (replica === 0) placed.confine(request);
      else if (!found.all().some(({ ring }) => sameRing(ring, record) && !ring.gaveUp)) this.propose(request);
    }
  }

  /** A peer planned this ring with this node as its head. One that there is for the same request is taken instead. */
  takeOn(ringId: string, request: ModelRequest, askedBy: string): RingRecord {
    const known = this.list().find((placed) => {
      const record = placed.record();
      return isFor(request, record) && !record.draining && !record.gaveUp;
    });
    if (known === undefined) {
      // One that is on its way out may still have this id.
      const id = this.#placed.has(ringId) ? shortId() : ringId;
      return this.propose({ ...request, head: this.#options.self.id }, id, askedBy).record();
    }
    known.takeOn();
    if (request.pinned) known.pin();
    return known.record();
  }

  /** Ends its requests with `reason`; resolves when its memory is free. */
  remove(placed: PlacedModel<Head>, reason: ExoError): Promise<void> {
    const gone = placed.stop(reason).finally(() => {
      this.#placed.delete(placed.id);
      this.#leaving.delete(gone);
      this.#options.onChange();
    });
    this.#leaving.add(gone);
    return gone;
  }

  /** Another ring of the same model stays. What was begun here is answered first. */
  async standDown(placed: PlacedModel<Head>, winner: RingProposal): Promise<void> {
    if (placed.head !== null) await placed.drain();
    const head = this.#options.membership.find(winner.head)?.name ?? winner.head;
    await this.remove(
      placed,
      new ExoError("not_ready", `Another ring of this model, with its head on ${head}, serves it.`),
    );
  }

  /** Nodes that were asked for the same at the same time find each other's proposals here, before anything is loaded. */
  async #mayPlace(placed: PlacedModel<Head>, signal: AbortSignal): Promise<void> {
    // Whoever was being answered waits for a ring that goes on where another left off.
    if (placed.request.replaces === undefined) {
      await Promise.all(this.#leaving);
      await this.#settled(signal);
    }
    const own = placed.record();
    const proposals = proposalsOf(await this.#options.planner.records());
    const winner = winnerOf(proposals.filter((proposal) => sameRing(proposal, own)));
    if (winner !== null && winner.id !== own.id && !signal.aborted) void this.standDown(placed, winner);
  }

  async #settled(signal: AbortSignal): Promise<void> {
    const { settleMs, clock } = this.#options;
    const latest = clock.monotonic() + MOST_SETTLING * settleMs;
    for (;;) {
      const left = Math.min(latest, this.#membersChangedAt + settleMs) - clock.monotonic();
      if (left <= 0 || signal.aborted) return;
      await pause(left, signal);
    }
  }

  async #handOver(placed: PlacedModel<Head>, plan: Plan, request: ModelRequest): Promise<void> {
    const { membership, self, found, onChange } = this.#options;
    const member = membership.find(plan.head);
    if (member?.state !== "alive") {
      throw new ExoError("stage_lost", `Node ${member?.name ?? plan.head}, which was to be the head, left meanwhile.`);
    }
    // The stages of a ring that was loaded know it by the epochs of this head.
    const ringId = placed.record().epoch > 0 ? shortId() : placed.id;
    const order = { ringId, request: { ...request, head: plan.head }, askedBy: self.id };
    const ring = parseRingRecord(await member.client.placeModel(order));
    found.promise(ring, plan.head);
    // Unless it was asked by a peer meanwhile to be the head after all.
    if (placed.request.head !== self.id) this.#placed.delete(placed.id);
    onChange();
  }
}
