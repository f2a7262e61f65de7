/** Which frames are under way since when. Times in milliseconds. */
export class FlightLog {
  readonly #sentAt: number[] = [];
  #sent = 0;
  #taken = 0;
  #bytes = 0;

  get framesSent(): number {
    return this.#sent;
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  /** Sent, and not known to be taken. */
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
  taken(total: number): boolean {
    if (total < this.#taken || total > this.#sent) return false;
    this.#sentAt.splice(0, total - this.#taken);
    this.#taken = total;
    return true;
  }
}
