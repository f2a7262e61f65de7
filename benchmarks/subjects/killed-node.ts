import { setTimeout as delay } from "node:timers/promises";
import type { Figures } from "../figures.js";
import type { Streamed } from "./ring-client.js";
import type { RingUnderTest } from "./ring-under-test.js";

/** Pieces of text that a client has when the node is killed. */
const PIECES_BEFORE = 4;
const POLL_MS = 10;
const LONGEST_MS = 30_000;

/** What killing needs of a ring. */
export interface Mortal {
  readonly client: Pick<RingUnderTest["client"], "cluster"> & {
    stream(body: object, onText: () => void): Promise<Pick<Streamed, "gaps">>;
  };
  lastStage(): Promise<{ kill(): Promise<void> }>;
}

/**
 * Kills the node of the last stage while an answer streams. Known: the head says that its ring is not ready, or the stream
 * has failed. Resumed, where this release can: the next piece of text of the same stream.
 */
export async function killNode(ring: Mortal, body: object): Promise<Figures> {
  const killing = new Killing(ring, await ring.lastStage());
  const answer = ring.client
    .stream(body, () => killing.onText())
    .then(
      (): Ending => "whole",
      (): Ending => "failed",
    );
  const detected_after = await killing.detected(answer);
  if ((await answer) === "failed" || killing.resumedAfter === null) return { detected_after };
  return { detected_after, resumed_after: killing.resumedAfter };
}

/** How an answer ended. */
type Ending = "whole" | "failed";

class Killing {
  readonly #ring: Mortal;
  readonly #victim: { kill(): Promise<void> };
  #pieces = 0;
  /** Since the process clock's start. */
  #killedAt: number | null = null;
  #detectedAt: number | null = null;
  resumedAfter: number | null = null;

  constructor(ring: Mortal, victim: { kill(): Promise<void> }) {
    this.#ring = ring;
    this.#victim = victim;
  }

  onText(): void {
    this.#pieces += 1;
    if (this.#pieces === PIECES_BEFORE) {
      this.#killedAt = performance.now();
      void this.#victim.kill();
    }
    if (this.#detectedAt !== null && this.#killedAt !== null) this.resumedAfter ??= performance.now() - this.#killedAt;
  }

  /** Milliseconds from the kill until the loss is known. */
  async detected(answer: Promise<Ending>): Promise<number> {
    const ended: Ending[] = [];
    void answer.then((ending) => ended.push(ending));
    const deadline = performance.now() + LONGEST_MS;
    while (performance.now() < deadline) {
      const { rings } = await this.#ring.client.cluster();
      const [ending] = ended;
      if (this.#killedAt !== null && (ending === "failed" || rings[0]?.state !== "ready")) {
        this.#detectedAt = performance.now();
        return this.#detectedAt - this.#killedAt;
      }
      if (ending !== undefined && this.#killedAt === null)
        throw new Error("the answer ended before the node was killed");
      if (ending === "whole") throw new Error("the answer went on to its end although a node of the ring was killed");
      await delay(POLL_MS);
    }
    throw new Error(`the loss of a node was not noticed within ${LONGEST_MS / 1000} s`);
  }
}
