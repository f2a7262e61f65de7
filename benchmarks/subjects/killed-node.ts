import { setTimeout as delay } from "node:timers/promises";
import type { Figures } from "../figures.js";
import type { RingUnderTest } from "./ring-under-test.js";

/** Pieces of text that a client has when the node is killed. */
const PIECES_BEFORE = 4;
const POLL_MS = 10;
const LONGEST_MS = 30_000;

/**
 * Kills the last node while an answer streams. Known: the head says that its ring is not ready, or the stream has ended
 * with an error. Resumed, where this release can: the next piece of text of the same stream.
 */
export async function killNode(ring: RingUnderTest, body: object): Promise<Figures> {
  const killing = new Killing(ring);
  const answer = ring.client
    .stream(body, () => killing.onText())
    .then(
      () => null,
      (thrown: unknown) => thrown,
    );
  const detected_after = await killing.detected(answer);
  const failure = await answer;
  if (failure !== null || killing.resumedAfter === null) return { detected_after };
  return { detected_after, resumed_after: killing.resumedAfter };
}

class Killing {
  readonly #ring: RingUnderTest;
  #pieces = 0;
  /** Since the process clock's start. */
  #killedAt: number | null = null;
  #detectedAt: number | null = null;
  resumedAfter: number | null = null;

  constructor(ring: RingUnderTest) {
    this.#ring = ring;
  }

  onText(): void {
    this.#pieces += 1;
    if (this.#pieces === PIECES_BEFORE) {
      this.#killedAt = performance.now();
      void this.#ring.killLast();
    }
    if (this.#detectedAt !== null && this.#killedAt !== null) this.resumedAfter ??= performance.now() - this.#killedAt;
  }

  /** Milliseconds from the kill until the loss is known. */
  async detected(answer: Promise<unknown>): Promise<number> {
    let ended = false;
    void answer.then(() => {
      ended = true;
    });
    const deadline = performance.now() + LONGEST_MS;
    while (performance.now() < deadline) {
      const { rings } = await this.#ring.client.cluster();
      if (this.#killedAt !== null && (ended || rings[0]?.state !== "ready")) {
        this.#detectedAt = performance.now();
        return this.#detectedAt - this.#killedAt;
      }
      if (ended) throw new Error("the answer ended before the node was killed");
      await delay(POLL_MS);
    }
    throw new Error(`the loss of a node was not noticed within ${LONGEST_MS / 1000} s`);
  }
}
