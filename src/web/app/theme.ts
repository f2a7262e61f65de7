import { effect, type Signal, signal } from "@preact/signals";
import type { Kept } from "./kept.js";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "exo-native.theme";

/** The colours chosen, shown at once and remembered. */
export function keptTheme(kept: Kept): Signal<Theme> {
  const stored = kept.read(KEY);
  const theme = signal<Theme>(THEMES.find((one) => one === stored) ?? "auto");
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    kept.write(KEY, theme.value);
  });
  return theme;
}
