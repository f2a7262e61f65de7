import { ExoError } from "../core/errors.js";
import type { OutgoingFrame } from "../transport/frame.js";

interface Entry {
  frame: OutgoingFrame | null;
  /** It could not be made. */
  left: boolean;
  readonly resolve: () => void;
  readonly reject: (error: ExoError) => void;
}

/**
 * Sends frames in the order in which their work was begun, however the work ends. A frame that could not be made is
 * left out; the first failure to send ends the queue, for a stage that missed a frame must not get the next.
 */
export class SendQueue {
  /** Keeps the order of its calls by itself. */
  readonly #send: (frame: OutgoingFrame) => Promise<void>;
  readonly #entries: Entry[] = [];
  #failure: ExoError | null = null;

  constructor(send: (frame: OutgoingFrame) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the frame is handed to the connection; rejects when it could not be made or sent. */
  add(frame: Promise<OutgoingFrame>): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Entry = { frame: null, left: false, resolve, reject };
      this.#entries.push(entry);
      frame.then(
        (made) => {
          entry.frame = made;
          this.#advance();
        },
        (thrown: unknown) => {
          entry.left = true;
          reject(ExoError.from(thrown));
          this.#advance();
        },
      );
    });
  }

  #advance(): void {
    for (let first = this.#entries[0]; first !== undefined; first = this.#entries[0]) {
      if (first.frame === null && !first.left) return;
      this.#entries.shift();
      if (first.frame !== null) this.#pass(first, first.frame);
    }
  }

  #pass(entry: Entry, frame: OutgoingFrame): void {
    if (this.#failure !== null) {
      entry.reject(this.#failure);
      return;
    }
    this.#send(frame).then(entry.resolve, (thrown: unknown) => {
      this.#failure ??= ExoError.from(thrown);
      entry.reject(this.#failure);
    });
  }
}
