import type { ModelProgress } from "../../model/progress.js";
import type { Paint } from "./paint.js";
import { barNumbers, drawBar } from "./progress-bar.js";
import type { StatusScreen } from "./status-screen.js";
import { ToldRarely } from "./told-rarely.js";

const WORDS: Readonly<Record<ModelProgress["phase"], string>> = {
  waiting: "waiting for another process that fetches",
  downloading: "fetching",
  verifying: "verifying",
};

/** Shows how a model comes to this machine: a bar on a terminal, a line now and then elsewhere. */
export class DownloadDisplay {
  readonly #screen: StatusScreen;
  readonly #paint: Paint;
  readonly #model: string;
  readonly #told: ToldRarely;

  constructor(screen: StatusScreen, paint: Paint, model: string, now: () => number) {
    this.#screen = screen;
    this.#paint = paint;
    this.#model = model;
    this.#told = new ToldRarely(now);
  }

  update(progress: ModelProgress): void {
    const state = {
      label: `${WORDS[progress.phase]} ${this.#model}`,
      fraction: progress.total === null || progress.total === 0 ? null : progress.received / progress.total,
      bytes: { done: progress.received, total: progress.total },
      perSecond: progress.bytesPerSecond > 0 ? progress.bytesPerSecond : null,
    };
    if (this.#screen.interactive) {
      this.#screen.show([drawBar(state, this.#screen.width, this.#paint)]);
      return;
    }
    const isAll = state.fraction === 1;
    if (this.#told.isDue("", `${state.label}${isAll ? ", all of it" : ""}`)) {
      this.#screen.print(`${state.label}: ${barNumbers(state).trim()}`);
    }
  }

  finish(): void {
    this.#screen.clear();
  }
}
