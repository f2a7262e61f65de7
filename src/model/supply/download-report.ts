import type { Clock } from "../../core/ports.js";
import { type DownloadSource, type ProgressListener, ProgressMeter } from "../progress.js";
import type { FillObserver } from "../sparse/fill-blocks.js";

/** How far a part of a model is, over all of its files and sources. */
export class DownloadReport implements FillObserver {
  readonly #meter: ProgressMeter;
  readonly #sources = new Map<string, { received: number; fault: string | null }>();

  constructor(clock: Clock, listener: ProgressListener) {
    this.#meter = new ProgressMeter(clock, [null], (progress) => listener({ ...progress, sources: this.sources() }));
  }

  sources(): readonly DownloadSource[] {
    return [...this.#sources].map(([name, { received, fault }]) => ({ name, received, fault }));
  }

  /** So much of the part is here already. */
  begin(here: number, total: number): void {
    this.#meter.start(0, here, total);
  }

  onBytes(source: string, count: number): void {
    const known = this.#sources.get(source);
    this.#sources.set(source, { received: (known?.received ?? 0) + count, fault: known?.fault ?? null });
  }

  onKept(count: number): void {
    this.#meter.add(0, count);
  }

  onFault(peer: string, fault: string): void {
    this.#sources.set(peer, { received: this.#sources.get(peer)?.received ?? 0, fault });
    this.#meter.report("downloading");
  }

  /** A whole file is being compared with its hash. */
  verifying(count: number): void {
    this.#meter.add(0, count, "verifying");
  }

  beginVerifying(total: number): void {
    this.#meter.start(0, 0, total);
  }

  end(phase: "downloading" | "verifying" = "downloading"): void {
    this.#meter.report(phase);
  }
}
