import { byId, element } from "./element.js";
import { ringView } from "./ring-view.js";
import { type Server, ServerError } from "./server.js";

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

  #showModels(models: readonly string[]): void {
    const none = "No model is loaded yet. Start one with: exo-native serve <model>";
    this.#hint.textContent = models.length === 0 ? none : this.#greeting;
    const listed = [...this.#model.options].map((option) => option.value);
    if (listed.length === models.length && listed.every((id, index) => id === models[index])) return;
    const chosen = this.#model.value;
    this.#model.replaceChildren(...models.map((id) => new Option(id, id)));
    if (models.includes(chosen)) this.#model.value = chosen;
    this.#model.disabled = models.length === 0;
  }
}
