import { ExoError } from "../../core/errors.js";
import type { ClusterDocument } from "../node-client/cluster-document.js";
import { type CliOutput, widthOf } from "./cli-io.js";
import { clusterLines } from "./cluster-picture.js";
import { wrapped } from "./columns.js";
import type { Key } from "./keys.js";
import { LiveScreen } from "./live-screen.js";
import type { Paint } from "./paint.js";

export interface StatusWatchOptions {
  readonly output: CliOutput;
  readonly paint: Paint;
  /** Which node is looked at, e.g. `http://127.0.0.1:52415`. */
  readonly where: string;
  readonly look: () => Promise<ClusterDocument>;
  /** Resolves when it is time to look again, or when the signal aborts. */
  readonly wait: (signal: AbortSignal) => Promise<void>;
  /** Milliseconds since some fixed point. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

interface Loss {
  readonly since: number;
  readonly reason: string;
}

/**
 * Looks at a node again and again and shows what it says: on a terminal in place, elsewhere one picture after the other.
 * A node that goes away may come back: until then the last picture stays, with how long it is old.
 */
export class StatusWatch {
  readonly #options: StatusWatchOptions;
  readonly #screen: LiveScreen | null;
  readonly #redraw = (): void => this.#draw();
  #cluster: ClusterDocument | null = null;
  #loss: Loss | null = null;

  constructor(options: StatusWatchOptions) {
    this.#options = options;
    this.#screen = options.output.isTTY === true ? new LiveScreen(options.output) : null;
  }

  /** Resolves when the signal aborts; rejects when the first look fails for another reason than that nobody answers. */
  async run(): Promise<void> {
    const { output, signal, wait } = this.#options;
    const ended = aborted(signal);
    output.on("resize", this.#redraw);
    try {
      while (!signal.aborted) {
        await Promise.race([this.#look(), ended]);
        if (!signal.aborted) await wait(signal);
      }
    } finally {
      output.off("resize", this.#redraw);
      this.leave();
    }
  }

  /** Looks at another part of a picture that is larger than the terminal. */
  scroll(key: Key): void {
    this.#screen?.scroll(key);
    this.#draw();
  }

  /** Gives the terminal back as it was; the next look takes it again. */
  leave(): void {
    this.#screen?.close();
  }

  async #look(): Promise<void> {
    const { look, signal } = this.#options;
    try {
      this.#cluster = await look();
      this.#loss = null;
    } catch (thrown) {
      const error = ExoError.from(thrown);
      if (this.#cluster === null && error.code !== "peer_unreachable") throw error;
      this.#lost(error.message);
    }
    if (!signal.aborted) this.#show();
  }

  #lost(reason: string): void {
    const { output, now, where } = this.#options;
    const isNew = this.#loss?.reason !== reason;
    this.#loss = { since: this.#loss?.since ?? now(), reason };
    if (this.#screen === null && isNew) output.write(`Lost contact with ${where}: ${reason}\n`);
  }

  #show(): void {
    const { output, paint } = this.#options;
    if (this.#screen !== null) {
      this.#screen.open();
      this.#draw();
    } else if (this.#loss === null && this.#cluster !== null) {
      output.write(`${clusterLines(this.#cluster, widthOf(output), paint).join("\n")}\n\n`);
    }
  }

  #draw(): void {
    const { output, paint } = this.#options;
    const width = widthOf(output);
    const picture = this.#cluster === null ? [] : clusterLines(this.#cluster, width, paint);
    this.#screen?.draw([...this.#headLines(width), ""], picture);
  }

  #headLines(width: number): readonly string[] {
    const { where, paint, now } = this.#options;
    if (this.#loss === null) {
      return wrapped(`${where}, each second anew; q or Ctrl-C ends`, width - 1).map((line) => paint("dim", line));
    }
    const { since, reason } = this.#loss;
    const age = Math.round((now() - since) / 1000);
    const what = this.#cluster === null ? "" : ` What follows is ${age} s old.`;
    return wrapped(`Lost contact with ${where}: ${reason}${what} Trying again; q or Ctrl-C ends.`, width - 1).map(
      (line) => paint("red", line),
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
