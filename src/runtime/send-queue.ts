import type { OutgoingFrame } from "../transport/frame.js";

/**
 * Sends frames in the order in which their work was begun, however the work ends. A frame that could not be made is
 * left out; the first failure to send ends the queue, for a stage that missed a frame must not get the next.
 */
export class SendQueue {
  readonly #send: (frame: OutgoingFrame) => Promise<void>;
  #tail: Promise<void> = Promise.resolve();

  constructor(send: (frame: OutgoingFrame) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the frame is handed to the connection; rejects when it could not be made or sent. */
  async add(frame: Promise<OutgoingFrame>): Promise<void> {
    const before = this.#tail;
    const sent = before.then(async () => this.#send(await frame));
    this.#tail = frame.then(
      () => sent,
      () => before,
    );
    // Whoever called sees the failure; the tail only keeps the order.
    this.#tail.catch(() => {});
    await sent;
  }
}
