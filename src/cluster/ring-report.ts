import type { Plan } from "../planning/plan.js";
import { Changes } from "./changes.js";
import type { HeadLoad, LoadedHead } from "./head-port.js";
import type { RingRecord, RingStageRecord } from "./node-record.js";
import type { PlacedModelOptions } from "./placed-model-options.js";
import { type PredictedSpeed, predictedBy } from "./prediction-record.js";
import type { RingLoadObserver } from "./ring-loader.js";
import { plannedRecord, withLoad } from "./ring-record.js";

type ReportOptions = Pick<PlacedModelOptions<LoadedHead>, "self" | "membership" | "onChange">;

/** What a head tells of its ring. */
export class RingReport {
  readonly #options: ReportOptions;
  readonly #changes = new Changes();
  #record: RingRecord;
  #predicted: PredictedSpeed | null = null;

  constructor(record: RingRecord, options: ReportOptions) {
    this.#record = record;
    this.#options = options;
  }

  /** Without what its head does at the moment. */
  get record(): RingRecord {
    return this.#record;
  }

  /** With what its head does; `null`: it has none. */
  now(load: HeadLoad | null): RingRecord {
    return withLoad(this.#record, load, this.#predicted);
  }

  update(change: Partial<RingRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#options.onChange(this.#record);
    this.#changes.notify();
  }

  /** Resolves with the next change, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return this.#changes.next(signal);
  }

  /** @param again why a ring that worked is placed anew, or `null` */
  planned(plan: Plan, again: string | null, more: Partial<RingRecord> = {}): void {
    this.#predicted = predictedBy(plan);
    const { self, membership } = this.#options;
    const nameOf = (id: string): string => (id === self.id ? self : membership.find(id))?.name ?? id;
    this.update({ ...plannedRecord(plan, again, nameOf), spares: [], ...more });
  }

  progress(stage: number, phase: "fetch" | "load", fraction: number): void {
    this.stage(stage, { phase, progress: Math.min(1, Math.max(0, fraction)) });
  }

  /** Of a load. */
  observer(onStageFailed: RingLoadObserver["onStageFailed"]): RingLoadObserver {
    return {
      onStageProgress: (...progress) => this.progress(...progress),
      onStageLoaded: (stage, memory, kept) => this.stage(stage, { memory, phase: "loaded", progress: 1, kept }),
      onStageFailed,
    };
  }

  stage(index: number, change: Partial<RingStageRecord>): void {
    const stages = this.#record.stages.map((stage, at) => (at === index ? { ...stage, ...change } : stage));
    this.update({ stages });
  }
}
