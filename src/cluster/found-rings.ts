import type { Clock } from "../core/ports.js";
import { ambiguousName } from "./known-models.js";
import type { MemberView } from "./member-view.js";
import type { PeerClient } from "./membership.js";
import type { RingRecord } from "./node-record.js";
import { answersTo } from "./ring-record.js";

/** A ring of the cluster, and the way to its head. */
export interface FoundRing {
  readonly ring: RingRecord;
  /** Node id. */
  readonly head: string;
  /** `null`: the head is this node. */
  readonly client: PeerClient | null;
  /** The head answers. */
  readonly reachable: boolean;
}

export interface FoundRingsOptions {
  readonly selfId: string;
  /** Rings whose head this node is. */
  readonly own: () => readonly RingRecord[];
  readonly membership: Pick<MemberView, "members">;
  readonly clock: Clock;
}

/** A head tells of a new ring with its next heartbeats; until then its word is taken for so long. */
const TRUSTED_MS = 5_000;

/** Every ring that this node knows of: its own, and what the heads of others say of theirs. */
export class FoundRings {
  readonly #options: FoundRingsOptions;
  /** Rings that other nodes have just taken on, by id. */
  readonly #promised = new Map<string, { readonly ring: RingRecord; readonly head: string; readonly until: number }>();

  /** Rings that were taken down from here, of which their heads may still tell. Id → until when. */
  readonly #takenDown = new Map<string, number>();

  constructor(options: FoundRingsOptions) {
    this.#options = options;
  }

  /** Another node said that it is the head of this ring now. */
  promise(ring: RingRecord, head: string): void {
    this.#promised.set(ring.id, { ring, head, until: this.#options.clock.monotonic() + TRUSTED_MS });
  }

  /** The head took it down; what it said of it before counts no more. */
  tookDown(ringId: string): void {
    this.#promised.delete(ringId);
    this.#takenDown.set(ringId, this.#options.clock.monotonic() + TRUSTED_MS);
  }

  all(): readonly FoundRing[] {
    const { selfId, own } = this.#options;
    const here = own().map((ring) => ({ ring, head: selfId, client: null, reachable: true }));
    const elsewhere = this.#elsewhere();
    return [...here, ...elsewhere, ...this.#stillPromised(elsewhere)];
  }

  /**
   * Rings that answer to this name of a model, in any state. Two files may have one name: a spec means its own model only,
   * and a name that means several is refused with `invalid_argument`.
   */
  named(name: string): readonly FoundRing[] {
    const named = this.all().filter(({ ring }) => answersTo(ring, name));
    const meant = named.filter(({ ring }) => ring.spec === name || ring.askedAs === name);
    if (meant.length > 0) return meant;
    const specs = new Set(named.map(({ ring }) => ring.spec));
    if (specs.size <= 1) return named;
    throw ambiguousName(name, specs);
  }

  find(ringId: string): FoundRing | null {
    return this.all().find(({ ring }) => ring.id === ringId) ?? null;
  }

  #elsewhere(): FoundRing[] {
    const now = this.#options.clock.monotonic();
    for (const [id, until] of this.#takenDown) if (until < now) this.#takenDown.delete(id);
    const there = this.#options.membership.members().filter(({ state }) => state !== "gone");
    return there.flatMap(({ id, state, record, client }) =>
      record.rings
        .filter((ring) => !this.#takenDown.has(ring.id))
        .map((ring) => ({ ring, head: id, client, reachable: state === "alive" })),
    );
  }

  #stillPromised(told: readonly FoundRing[]): FoundRing[] {
    const now = this.#options.clock.monotonic();
    const members = new Map(this.#options.membership.members().map((member) => [member.id, member]));
    const still: FoundRing[] = [];
    for (const [id, { ring, head, until }] of this.#promised) {
      const member = members.get(head);
      if (until < now || member?.state !== "alive" || told.some((found) => found.ring.id === id)) {
        this.#promised.delete(id);
      } else {
        still.push({ ring, head, client: member.client, reachable: true });
      }
    }
    return still;
  }
}
