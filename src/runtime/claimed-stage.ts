import { type LoadHooks, Stage } from "../native/stage.js";
import type { StageOptions } from "../native/stage-options.js";
import type { MemoryCap, MemoryClaim } from "./memory-cap.js";

/** What a load is to take of what the owner offers. */
export interface WantedMemory {
  /** As the planner counts them. */
  readonly bytes: number;
  /** As the beginning of a sentence. */
  readonly what: string;
}

/** Loads a stage whose memory is spoken for until it is closed. Rejects as `MemoryCap.claim` and `Stage.load` do. */
export async function loadClaimed(
  memory: MemoryCap,
  { bytes, what }: WantedMemory,
  options: StageOptions,
  hooks: LoadHooks,
): Promise<Stage> {
  const claim = await memory.claim(bytes, what, hooks.signal);
  try {
    const stage = await Stage.load(options, hooks);
    claimFor(stage, claim, sumOf([stage]));
    return stage;
  } catch (thrown) {
    claim.release();
    throw thrown;
  }
}

/** From now on the claim is this stage's. */
export function claimFor(stage: Stage, claim: MemoryClaim, bytes: number): void {
  claim.became(bytes);
  stage.onClosing((closed) => claim.releaseAfter(closed));
}

/** Bytes that stages take. */
export function sumOf(stages: readonly Stage[]): number {
  return stages.reduce((sum, stage) => {
    const { weights, kvCache, compute, output } = stage.memory();
    return sum + weights + kvCache + compute + output;
  }, 0);
}
