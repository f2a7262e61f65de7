import type { RingSettings } from "../../cluster/ring-settings.js";
import type { MeteredPart } from "../held-stage.js";
import { type ComputedPasses, passesSince } from "../pass-log.js";
import type { StageUse } from "./model-probe.js";

/** Stages held for heads elsewhere; see `StageHost`. */
export interface HeldStages {
  held(): readonly {
    readonly request: StageUse["request"];
    readonly stage: { readonly options: { readonly threads?: number; readonly batchThreads?: number } };
    parts(): readonly MeteredPart[];
  }[];
}

/** Rings whose head this node is; see `LocalRings`. */
export interface OwnHeads {
  list(): readonly {
    readonly head: {
      readonly ring: RingSettings;
      readonly compute: { readonly threads: number; readonly batchThreads: number };
      parts(): readonly MeteredPart[];
    } | null;
    record(): { readonly spec: string };
  }[];
}

/** One loaded stage, or the two of a head. */
interface Loaded extends Omit<StageUse, "part" | "passes"> {
  readonly owner: object;
  readonly parts: readonly MeteredPart[];
}

/** What the stages of this node did since they were asked last. */
export class StageUses {
  readonly #rings: OwnHeads;
  readonly #stages: HeldStages;
  /** As they were when last looked at, by part. */
  readonly #seen = new WeakMap<object, readonly ComputedPasses[]>();

  constructor(rings: OwnHeads, stages: HeldStages) {
    this.#rings = rings;
    this.#stages = stages;
  }

  /** A stage that is new is only looked at: its first passes wait for pages of the model's file. */
  take(): readonly StageUse[] {
    return [...this.#held(), ...this.#heads()].flatMap(({ owner, parts, ...rest }) => {
      const before = this.#seen.get(owner);
      this.#seen.set(
        owner,
        parts.map(({ passes }) => passes),
      );
      if (before === undefined) return [];
      return parts.map((part, index) => ({ ...rest, part, passes: passesSince(part.passes, before[index] ?? null) }));
    });
  }

  #held(): readonly Loaded[] {
    return this.#stages.held().map((held) => {
      const { threads = 0, batchThreads = threads } = held.stage.options;
      return { owner: held, request: held.request, threads, batchThreads, parts: held.parts() };
    });
  }

  #heads(): readonly Loaded[] {
    return this.#rings.list().flatMap((placed) => {
      const { head } = placed;
      if (head === null) return [];
      const { threads, batchThreads } = head.compute;
      const request = { ...head.ring, model: placed.record().spec };
      return [{ owner: head, request, threads, batchThreads, parts: head.parts() }];
    });
  }
}
