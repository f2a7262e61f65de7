import { loadBindings } from "./load.js";
import { nativeCall } from "./native-call.js";
import { type StageOptions, toNativeStageParams } from "./stage-options.js";

/** Bytes that a stage would take. */
export interface PlannedMemory {
  readonly weights: number;
  readonly kvCache: number;
  readonly compute: number;
}

/**
 * What loading a stage would take by llama.cpp's own accounting; only the header of the file is read. Blocks the event
 * loop for up to a second, so it is not for a process that serves.
 */
export function planStageMemory(options: StageOptions): PlannedMemory {
  const { weights, kv_cache, compute } = nativeCall(() => loadBindings().stage_plan(toNativeStageParams(options)));
  return { weights, kvCache: kv_cache, compute };
}
