import type { ExoError } from "../core/errors.js";

/** Who of the other nodes gives signs of life: edges tell of them, and end with whoever gives none. */
export interface PeerWatch {
  /** A sign of this node came. */
  heard(nodeId: string): void;
  /** When, by the monotonic clock, the node was last asked something that it answered; `null`: never. */
  wellAt(nodeId: string): number | null;
  /** Calls back each time that the node falls silent. Returns the way to unsubscribe. */
  onSilent(nodeId: string, listener: (reason: ExoError) => void): () => void;
}

/** For edges that nobody watches but their own connections. */
export const noWatch: PeerWatch = { heard: () => {}, wellAt: () => null, onSilent: () => () => {} };
