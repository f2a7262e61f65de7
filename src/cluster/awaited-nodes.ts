import { ExoError } from "../core/errors.js";
import { timeLimit } from "../core/waiting.js";
import { nextOf } from "./changes.js";
import type { LoadedHead } from "./head-port.js";
import type { PlacedModelOptions } from "./placed-model-options.js";
import type { UnfitNode } from "./unfit-nodes.js";

type Cluster = Pick<PlacedModelOptions<LoadedHead>, "membership" | "unfit">;

/** The nodes that are there and may hold stages. */
export function nodesToUse({
  self,
  ownRecord,
  membership,
}: Pick<PlacedModelOptions<LoadedHead>, "self" | "ownRecord" | "membership">): readonly {
  readonly id: string;
  readonly name: string;
}[] {
  const others = membership.alive().filter(({ record }) => !record.draining);
  return ownRecord().draining ? others : [self, ...others];
}

/** The nodes that are there and cannot hold a stage of the model. */
export function unfitHere({ membership, unfit }: Cluster, spec: string): readonly UnfitNode[] {
  const records = membership.alive().map(({ record }) => record);
  return unfit.among(spec, records);
}

/** Resolves when nodes came or went, or one that was left out may be tried again; or when the signal aborts. */
export function clusterChange({ membership, unfit }: Cluster, spec: string, signal: AbortSignal): Promise<void> {
  const change = (until: AbortSignal) => nextOf((listener) => membership.onChange(listener), until);
  const left = unfit.msLeft(spec);
  if (left === null) return change(signal);
  const limit = timeLimit(left, signal);
  return change(limit.signal).finally(limit.end);
}

/** Resolves with the reason when the ring breaks, is to be placed anew (`endWith`), or is stopped. */
export function lifeOf(
  head: LoadedHead,
  signal: AbortSignal,
  endWith: (end: (reason: ExoError) => void) => void,
): Promise<ExoError> {
  return new Promise((resolve) => {
    const stopped = (): void => resolve(ExoError.from(signal.reason, "not_ready"));
    endWith(resolve);
    head.onBroken(resolve);
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
}
