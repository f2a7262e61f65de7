import type { LoadedHead } from "../cluster/head-port.js";
import { canonicalSpec } from "../cluster/known-models.js";
import type { ModelManager } from "../cluster/model-manager.js";
import type { LoadOptions } from "../cluster/model-request.js";
import { ExoError } from "../core/errors.js";
import type { ClusterRing } from "./cluster-snapshot.js";
import { toRing } from "./cluster-state.js";
import type { RingControl } from "./ports.js";

/** Stages are called as their ring calls them. */
const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** The model manager in the words of the HTTP API. */
export class ManagedRings implements RingControl {
  readonly #manager: Pick<ModelManager<LoadedHead>, "load" | "unload" | "whenReady" | "serving">;

  constructor(manager: Pick<ModelManager<LoadedHead>, "load" | "unload" | "whenReady" | "serving">) {
    this.#manager = manager;
  }

  async load(model: string, options: LoadOptions): Promise<ClusterRing> {
    return toRing(await this.#manager.load(model, options), NO_NAMES);
  }

  async whenReady(model: string, signal: AbortSignal): Promise<ClusterRing> {
    await this.#manager.whenReady(model, signal);
    const ready = this.#manager.serving(canonicalSpec(model)).find(({ ring }) => ring.state === "ready");
    if (ready === undefined) throw new ExoError("not_ready", `${model} was ready, and is gone again.`);
    return toRing(ready.ring, NO_NAMES);
  }

  async unload(ringId: string): Promise<ClusterRing> {
    return toRing(await this.#manager.unload(ringId), NO_NAMES);
  }
}
