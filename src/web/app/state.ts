import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { ClusterDocument } from "../api/cluster-document.js";
import type { ListedModel } from "../api/models-document.js";
import { Server } from "../api/server.js";
import { sentenceOf } from "../api/server-error.js";
import { Kept } from "./kept.js";
import { Notices } from "./notices.js";
import type { Route } from "./route.js";
import { keptTheme, type Theme } from "./theme.js";
import { watchRoute } from "./watch-route.js";

const KEY_KEY = "exo-native.api-key";
const MODEL_KEY = "exo-native.model";

/** What every view is given. */
export class AppState {
  readonly server = new Server();
  readonly kept = new Kept(() => localStorage);
  readonly route: ReadonlySignal<Route> = watchRoute();
  readonly notices = new Notices();
  readonly theme: Signal<Theme> = keptTheme(this.kept);
  /** As of the last look; `null` before the first one and while the node cannot be asked. */
  readonly cluster = signal<ClusterDocument | null>(null);
  readonly models = signal<readonly ListedModel[]>([]);
  /** Why the last look failed, in a sentence; `null` when it did not. */
  readonly trouble = signal<string | null>(null);
  /** The id of the model to talk to; empty while none is known. */
  readonly model = signal("");
  readonly #keptForTab = new Kept(() => sessionStorage);

  constructor() {
    this.server.apiKey = this.#keptForTab.read(KEY_KEY) ?? "";
    this.model.value = this.kept.read(MODEL_KEY) ?? "";
  }

  /** Shows a sentence for a while and has it read out. */
  notice(text: string): void {
    this.notices.add(text);
  }

  chooseModel(id: string): void {
    this.model.value = id;
    this.kept.write(MODEL_KEY, id);
  }

  /** Remembered only until the tab is closed. */
  useApiKey(key: string): void {
    this.server.apiKey = key;
    this.#keptForTab.write(KEY_KEY, key);
    void this.refresh();
  }

  /** Looks at the cluster and its models. */
  async refresh(): Promise<void> {
    try {
      const [cluster, models] = await Promise.all([this.server.cluster(), this.server.models()]);
      this.cluster.value = cluster;
      this.models.value = models;
      this.trouble.value = null;
      this.#settleModel(models);
    } catch (thrown) {
      this.cluster.value = null;
      this.trouble.value = sentenceOf(thrown);
    }
  }

  /** What was chosen, while it is listed; else the first of the list, which is a loaded one where there is any. */
  #settleModel(models: readonly ListedModel[]): void {
    const chosen = this.model.value;
    const listed = models.find(({ id, aliases }) => id === chosen || aliases.includes(chosen));
    this.model.value = (listed ?? models[0])?.id ?? "";
  }
}
