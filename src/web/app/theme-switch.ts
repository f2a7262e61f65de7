import { html } from "htm/preact";
import type { AppState } from "./state.js";
import { THEMES, type Theme } from "./theme.js";

const LABELS: Readonly<Record<Theme, string>> = {
  auto: "System",
  light: "Light",
  dark: "Dark",
};

export function ThemeSwitch({ app }: { app: AppState }) {
  const choose = (event: Event): void => {
    if (!(event.currentTarget instanceof HTMLSelectElement)) return;
    const { value } = event.currentTarget;
    app.theme.value = THEMES.find((theme) => theme === value) ?? "auto";
  };
  return html`<label class="theme-switch">
    <span class="theme-label">Colours</span>
    <select id="theme" value=${app.theme.value} onChange=${choose}>
      ${THEMES.map((theme) => html`<option key=${theme} value=${theme}>${LABELS[theme]}</option>`)}
    </select>
  </label>`;
}
