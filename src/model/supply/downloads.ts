import type { ModelProgress, ProgressListener } from "../progress.js";

/** A download that is under way. */
export interface DownloadState extends ModelProgress {
  readonly spec: string;
  /** The API's name. */
  readonly model: string;
}

/** What is being fetched now. Work that finds everything at hand never shows here. */
export class Downloads {
  readonly #states = new Map<object, DownloadState>();
  readonly #listeners = new Set<() => void>();

  list(): readonly DownloadState[] {
    return [...this.#states.values()];
  }

  /** Calls back when one begins or ends. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Shows a piece of work from its first report to its end. */
  async track<Result>(
    spec: string,
    model: string,
    listener: ProgressListener,
    work: (onProgress: ProgressListener) => Promise<Result>,
  ): Promise<Result> {
    const key = {};
    let over = false;
    const onProgress: ProgressListener = (progress) => {
      listener(progress);
      if (over) return;
      const isNew = !this.#states.has(key);
      this.#states.set(key, { ...progress, spec, model });
      if (isNew) this.#changed();
    };
    try {
      return await work(onProgress);
    } finally {
      over = true;
      if (this.#states.delete(key)) this.#changed();
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
