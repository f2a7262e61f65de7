import { ExoError } from "../core/errors.js";

/** A stage that this process holds or is loading. */
export interface StageInUse {
  /** Of the model's file. */
  readonly path: string;
  readonly layerBegin: number;
  readonly layerEnd: number;
}

type Watcher = (stages: readonly StageInUse[]) => void;

const inUse = new Set<StageInUse>();
let watcher: Watcher = () => {};
let refusals: ReadonlyMap<string, string> = new Map();

/** Calls back at every change, before a stage begins to load: loading may end the process. */
export function watchStages(told: Watcher): void {
  watcher = told;
}

/** Stages of these models are not loaded any more; with the reason, a sentence. */
export function refuseModels(reasons: ReadonlyMap<string, string>): void {
  refusals = reasons;
}

/** Returns what to call when the stage is gone. Throws `crash_loop` for a model that is refused. */
export function useStage(path: string, layerBegin: number, layerEnd: number): () => void {
  const refusal = refusals.get(path);
  if (refusal !== undefined) throw new ExoError("crash_loop", refusal);
  const stage = { path, layerBegin, layerEnd };
  inUse.add(stage);
  watcher([...inUse]);
  return () => {
    if (inUse.delete(stage)) watcher([...inUse]);
  };
}
