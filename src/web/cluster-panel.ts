import { byId, element } from "./element.js";
import { ringView } from "./ring-view.js";
import { type ListedModel, type Server, ServerError } from "./server.js";

const REFRESH_MILLISECONDS = 3000;

/** Keeps the ring view and the list of models up to date while the page is seen. */
export class ClusterPanel {
  readonly #server: Server;
  readonly #ring = byId("ring", HTMLElement);
  readonly #model = byId("model", HTMLSelectElement);
  readonly #hint = byId("welcome-hint", HTMLElement);
  readonly #greeting = this.#hint.textContent;
  #shown = "";

  constructor(server: Server) {
    this.#server = server;
  }

  get model(): string {
    return this.#model.value;
  }

  start(): void {
    setInterval(() => {
      if (!document.hidden) void this.refresh();
    }, REFRESH_MILLISECONDS);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.refresh();
    });
    void this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const [snapshot, models] = await Promise.all([this.#server.cluster(), this.#server.models()]);
      this.#showModels(models);
      this.#showRing(snapshot);
    } catch (thrown) {
      this.#shown = "";
      this.#ring.replaceChildren(element("p", "note", thrown instanceof ServerError ? thrown.message : String(thrown)));
    }
  }

  /** Redrawn only when it changed, so that a text being selected stays so. */
  #showRing(snapshot: unknown): void {
    const text = JSON.stringify(snapshot);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#ring.replaceChildren(...ringView(snapshot));
  }

  #showModels(models: readonly ListedModel[]): void {
    const none = "No model is loaded yet. Start one with: exo-native serve <model>";
    const later = "No model is loaded yet: the one chosen below is loaded with the first message.";
    const hint = models.length === 0 ? none : later;
    this.#hint.textContent = models.some(({ loaded }) => loaded) ? this.#greeting : hint;
    const labels = models.map(({ id, loaded }) => (loaded ? id : `${id} (not loaded)`));
    const listed = [...this.#model.options].map((option) => option.text);
    if (listed.length === labels.length && listed.every((label, index) => label === labels[index])) return;
    const chosen = this.#model.value;
    this.#model.replaceChildren(...models.map(({ id }, index) => new Option(labels[index], id)));
    if (models.some(({ id }) => id === chosen)) this.#model.value = chosen;
    this.#model.disabled = models.length === 0;
  }
}
