import type { Attention } from "../../core/attention.js";
import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import type { PeerWatch } from "../../transport/peer-watch.js";
import type { Peer } from "./peer.js";
import type { Roster } from "./roster.js";

export interface WatchOptions {
  readonly roster: Roster;
  readonly attention: Attention;
  readonly everyMs: number;
  readonly logger: Logger;
  /** Somebody counts as silent from now on. */
  readonly onSilent: () => void;
  /** After each look. */
  readonly onLook: () => void;
}

/**
 * Looks, several times per heartbeat, who has fallen silent: who owes an answer for longer than it ever took lately, and
 * gave no other sign meanwhile. What is under way with such a node is ended at once, rather than when TCP gives it up.
 */
export class Watch implements PeerWatch {
  readonly #options: WatchOptions;
  readonly #listeners = new Map<string, Set<(reason: ExoError) => void>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), this.#options.everyMs).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  heard(nodeId: string): void {
    this.#options.roster.get(nodeId)?.heard();
  }

  wellAt(nodeId: string): number | null {
    return this.#options.roster.get(nodeId)?.wellAt ?? null;
  }

  onSilent(nodeId: string, listener: (reason: ExoError) => void): () => void {
    const listeners = this.#listeners.get(nodeId) ?? new Set();
    this.#listeners.set(nodeId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(nodeId) === listeners) this.#listeners.delete(nodeId);
    };
  }

  look(): void {
    const { attention, roster, onLook } = this.#options;
    const now = attention.look();
    for (const peer of roster.all()) {
      const silentFor = peer.judge(now);
      if (silentFor !== null) this.#fellSilent(peer, silentFor);
    }
    onLook();
  }

  #fellSilent(peer: Peer, patienceMs: number): void {
    const { roster, logger, onSilent } = this.#options;
    const name = roster.nameOf(peer.id);
    const seconds = (patienceMs / 1000).toFixed(1);
    const reason = new ExoError(
      "stage_lost",
      `${name} fell silent: it owes an answer for ${seconds} s, and nothing else came of it.`,
    );
    logger.warn({ node: name, id: peer.id, patienceMs: Math.round(patienceMs) }, reason.message);
    onSilent();
    for (const listener of [...(this.#listeners.get(peer.id) ?? [])]) listener(reason);
    peer.link.interrupt(reason);
  }
}
