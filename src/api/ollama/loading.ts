import { ExoError } from "../../core/errors.js";
import type { InferenceService } from "../../core/inference.js";
import type { ClusterView, ModelCatalog, RingControl } from "../ports.js";
import { findModel, knownModel, resolveModel } from "../resolve-model.js";
import type { OllamaSettings } from "./options.js";

export interface LoadingPorts {
  readonly inference: InferenceService;
  readonly models: ModelCatalog;
  readonly cluster: ClusterView;
  readonly rings: RingControl;
}

type Wish = Pick<OllamaSettings, "model" | "keepAliveSeconds">;

/** `keep_alive` counts for the load that the request causes; a model that is loaded keeps what it was loaded with. */
export async function beginLoading({ models, rings }: LoadingPorts, wish: Wish): Promise<void> {
  const card = knownModel(models, wish.model);
  if (card?.state !== "unloaded" || wish.keepAliveSeconds === null) return;
  await rings.load(card.id, { keepAliveSeconds: wish.keepAliveSeconds });
}

/** What a request without a prompt asks for: the model to be loaded, or with `keep_alive: 0` unloaded. */
export async function loadOrUnload(ports: LoadingPorts, wish: Wish, signal: AbortSignal): Promise<"load" | "unload"> {
  if (wish.keepAliveSeconds === 0) {
    await unload(ports, wish.model);
    return "unload";
  }
  await beginLoading(ports, wish);
  // Asks for nothing but that the model is there.
  const model = resolveModel(ports.models, wish.model);
  await ports.inference.tokenize({ model, text: "", addSpecial: false, parseSpecial: false }, signal);
  return "load";
}

async function unload({ models, cluster, rings }: LoadingPorts, name: string): Promise<void> {
  const { id } = findModel(models, name);
  const loaded = cluster.snapshot().rings.filter(({ model, spec }) => model === id || spec === id);
  const kept = loaded.find(({ pinned }) => pinned === true);
  if (kept !== undefined) {
    const message = `${id} is kept loaded, as its owner wants it; to unload it all the same, send DELETE /cluster/rings/${kept.id}.`;
    throw new ExoError("unsupported", message, { param: "keep_alive" });
  }
  for (const ring of loaded) await rings.unload(ring.id);
}
