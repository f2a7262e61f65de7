import type { Job } from "./slot.js";

export interface JobWatchHooks {
  readonly onCancelled: () => void;
  readonly onOverdue: () => void;
}

/** Tells when a job has to end early: nobody wants it any more, or its time is over. */
export class JobWatch {
  readonly #job: Job;
  readonly #onCancelled: () => void;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(job: Job, { onCancelled, onOverdue }: JobWatchHooks) {
    this.#job = job;
    this.#onCancelled = onCancelled;
    job.signal.addEventListener("abort", onCancelled, { once: true });
    if (job.timeLimitMs !== null) this.#timer = setTimeout(onOverdue, job.timeLimitMs);
  }

  stop(): void {
    this.#job.signal.removeEventListener("abort", this.#onCancelled);
    clearTimeout(this.#timer);
  }
}
