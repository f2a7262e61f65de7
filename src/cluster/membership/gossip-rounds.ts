import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import type { NodeRecord } from "../node-record.js";
import type { GossipMessage } from "./gossip-state.js";

/** Somebody to gossip with. */
export interface Partner {
  readonly id: string;
  readonly name: string;
  gossip(message: unknown): Promise<unknown>;
}

export interface GossipRoundsOptions {
  /** Those who can be asked now. */
  readonly partners: () => readonly Partner[];
  /** Everything this node knows, in short. */
  readonly question: () => GossipMessage<NodeRecord>;
  /** Takes an answer; returns what its sender asks for, or `null`. */
  readonly take: (answer: unknown, partner: Partner) => GossipMessage<NodeRecord> | null;
  readonly intervalMs: number;
  readonly logger: Logger;
}

/** News goes to so many nodes at once; they pass it on. */
const FAN_OUT = 3;

/** When this node gossips with whom: with each in turn, and at once when there is news. */
export class GossipRounds {
  readonly #options: GossipRoundsOptions;
  /** Ids in the order of this round. */
  #round: string[] = [];
  readonly #busy = new Set<string>();
  readonly #again = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: GossipRoundsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#next(1), this.#options.intervalMs).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#again.clear();
  }

  /** There is news for everybody. */
  spread(): void {
    this.#next(FAN_OUT);
  }

  /** There is news for this one. */
  tell(id: string): void {
    const partner = this.#options.partners().find((one) => one.id === id);
    if (partner !== undefined) void this.#exchange(partner);
  }

  /** Everybody has a turn before anybody has a second one, in an order that is new each round. */
  #next(count: number): void {
    const partners = new Map(this.#options.partners().map((partner) => [partner.id, partner]));
    for (let left = Math.min(count, partners.size); left > 0; left -= 1) {
      this.#round = this.#round.filter((id) => partners.has(id));
      if (this.#round.length === 0) this.#round = shuffled([...partners.keys()]);
      const partner = partners.get(this.#round.shift() ?? "");
      if (partner !== undefined) void this.#exchange(partner);
    }
  }

  /** One exchange with each at a time; news that comes meanwhile is worth one more. */
  async #exchange(partner: Partner): Promise<void> {
    if (this.#busy.has(partner.id)) {
      this.#again.add(partner.id);
      return;
    }
    this.#busy.add(partner.id);
    try {
      const answer = await partner.gossip(this.#options.question());
      const asked = this.#options.take(answer, partner);
      if (asked !== null) await partner.gossip(asked);
    } catch (thrown) {
      // That a peer does not answer is for heartbeats to find.
      const error = ExoError.from(thrown, "peer_unreachable");
      this.#options.logger.debug({ node: partner.name, code: error.code }, `gossip failed: ${error.message}`);
    } finally {
      this.#busy.delete(partner.id);
    }
    if (this.#again.delete(partner.id) && this.#timer !== null) this.tell(partner.id);
  }
}

function shuffled(ids: string[]): string[] {
  for (let at = ids.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [ids[at], ids[other]] = [ids[other] ?? "", ids[at] ?? ""];
  }
  return ids;
}
