const SAMPLES = 256;

/** Which frames are under way since when, and how long the last ones took to be taken. Times in milliseconds. */
export class FlightLog {
  readonly #sentAt: number[] = [];
  readonly #durations = new Float64Array(SAMPLES);
  #sent = 0;
  #taken = 0;
  #bytes = 0;

  get framesSent(): number {
    return this.#sent;
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  get inFlight(): number {
    return this.#sent - this.#taken;
  }

  get oldestSentAt(): number | null {
    return this.#sentAt[0] ?? null;
  }

  sent(bytes: number, now: number): void {
    this.#sent += 1;
    this.#bytes += bytes;
    this.#sentAt.push(now);
  }

  /** The receiver has taken `total` frames since the stream began. False when that cannot be. */
  taken(total: number, now: number): boolean {
    if (total < this.#taken || total > this.#sent) return false;
    for (; this.#taken < total; this.#taken += 1) {
      this.#durations[this.#taken % SAMPLES] = now - (this.#sentAt.shift() ?? now);
    }
    return true;
  }

  /** Median of the last 256, or `null` before the first. */
  medianDuration(): number | null {
    const count = Math.min(this.#taken, SAMPLES);
    return this.#durations.slice(0, count).sort()[Math.floor(count / 2)] ?? null;
  }
}
