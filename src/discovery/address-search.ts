import type { HostPort } from "../config/address.js";
import { ExoError } from "../core/errors.js";
import type { DiscoveredPeer, PeerProbe } from "./discovery.js";
import type { LocalLink } from "./interfaces.js";
import type { Sleep } from "./peer-source.js";

/** What is known of one address; who found it is for others to keep. */
export type AddressState = Omit<DiscoveredPeer, "source">;

export interface AddressSearchOptions {
  readonly probe: PeerProbe;
  readonly sleep: Sleep;
  /** What this machine reaches a host through. Never rejects. */
  readonly linkTo: (host: string) => Promise<LocalLink | null>;
  /** Milliseconds; the pauses between tries grow to it. */
  readonly longestPause: () => number;
  readonly onChange: (state: AddressState, before: AddressState) => void;
}

const FIRST_PAUSE_MS = 250;
/** A peer that answers but cannot be used may be restarted as another version, so it is asked again, seldom. */
const ANSWERED_PAUSE_MS = 15_000;

/** One address, asked until it answers, and again when it was lost. */
export class AddressSearch {
  readonly #options: AddressSearchOptions;
  #state: AddressState;
  #stopping: AbortController | null = null;
  /** Ends the pause under way. */
  #pause: AbortController | null = null;
  #running: Promise<void> | null = null;

  constructor(address: HostPort, options: AddressSearchOptions) {
    this.#options = options;
    this.#state = { address, state: "searching", identity: null, reason: null, via: null };
  }

  get state(): AddressState {
    return this.#state;
  }

  start(): void {
    this.#stopping ??= new AbortController();
    this.#search();
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.#pause?.abort();
    await this.#running;
    this.#stopping = null;
  }

  /** Asks at once instead of after the pause. */
  wake(): void {
    this.#pause?.abort();
  }

  lost(reason: string): void {
    if (this.#state.state !== "reachable") return;
    this.#state = { ...this.#state, state: "searching", reason };
    this.#search();
  }

  /** One search at a time; a peer lost while its search was ending is searched again. */
  #search(): void {
    const signal = this.#stopping?.signal;
    if (signal === undefined || signal.aborted || this.#running !== null || this.#isReached()) return;
    this.#running = this.#askUntilReached(signal).finally(() => {
      this.#running = null;
      this.#search();
    });
  }

  #isReached(): boolean {
    return this.#state.state === "reachable";
  }

  async #askUntilReached(signal: AbortSignal): Promise<void> {
    let next = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      await this.#ask(signal);
      if (signal.aborted || this.#isReached()) return;
      const woken = await this.#wait(this.#state.state === "searching" ? next : ANSWERED_PAUSE_MS, signal);
      next = woken ? FIRST_PAUSE_MS : Math.min(next * 2, this.#options.longestPause());
    }
  }

  /** Whether the pause was cut short. */
  async #wait(milliseconds: number, signal: AbortSignal): Promise<boolean> {
    const pause = new AbortController();
    this.#pause = pause;
    if (!signal.aborted) await this.#options.sleep(milliseconds, pause.signal).catch(() => {});
    this.#pause = null;
    return pause.signal.aborted;
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const before = this.#state;
    const after = await this.#probed(before, signal);
    if (signal.aborted) return;
    this.#state = after;
    this.#options.onChange(after, before);
  }

  async #probed(before: AddressState, signal: AbortSignal): Promise<AddressState> {
    const { address } = before;
    try {
      const { nodeId, name, unusable, self } = await this.#options.probe(address, signal);
      const via = await this.#options.linkTo(address.host);
      const state = self ? "self" : unusable === null ? "reachable" : "unused";
      return { address, state, identity: { nodeId, name }, reason: unusable, via };
    } catch (thrown) {
      const error = ExoError.from(thrown);
      const answered = error.code !== "peer_unreachable" && error.code !== "deadline_exceeded";
      return { ...before, state: answered ? "unused" : "searching", reason: error.message };
    }
  }
}
