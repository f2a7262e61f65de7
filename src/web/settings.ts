import { byId } from "./element.js";

const STORAGE_KEY = "exo-native.settings";

/** The fields of the side panel, remembered in this browser; the API key only until the tab is closed. */
export class Settings {
  readonly #temperature = byId("temperature", HTMLInputElement);
  readonly #temperatureValue = byId("temperature-value", HTMLOutputElement);
  readonly #maxTokens = byId("max-tokens", HTMLInputElement);
  readonly #theme = byId("theme", HTMLSelectElement);
  readonly #apiKey = byId("api-key", HTMLInputElement);

  constructor(onApiKey: (key: string) => void) {
    const stored = readStored();
    this.#temperature.value = stored.get("temperature") ?? "0.8";
    this.#maxTokens.value = stored.get("max_tokens") ?? "";
    this.#theme.value = stored.get("theme") ?? "auto";
    if (this.#theme.selectedIndex < 0) this.#theme.value = "auto";
    for (const field of [this.#temperature, this.#maxTokens, this.#theme]) {
      field.addEventListener("input", () => this.#changed());
    }
    this.#apiKey.addEventListener("change", () => onApiKey(this.#apiKey.value.trim()));
    this.#show();
  }

  get temperature(): number {
    return Number(this.#temperature.value);
  }

  /** `null`: no limit. */
  get maxTokens(): number | null {
    const tokens = Math.floor(Number(this.#maxTokens.value));
    return this.#maxTokens.value !== "" && tokens >= 1 ? tokens : null;
  }

  #changed(): void {
    this.#show();
    const kept = new URLSearchParams({
      temperature: this.#temperature.value,
      max_tokens: this.#maxTokens.value,
      theme: this.#theme.value,
    });
    try {
      localStorage.setItem(STORAGE_KEY, kept.toString());
    } catch {
      // Storage may be switched off; the settings then last as long as the page.
    }
  }

  #show(): void {
    this.#temperatureValue.value = this.temperature.toFixed(1);
    document.documentElement.dataset.theme = this.#theme.value;
  }
}

function readStored(): URLSearchParams {
  try {
    return new URLSearchParams(localStorage.getItem(STORAGE_KEY) ?? "");
  } catch {
    return new URLSearchParams();
  }
}
