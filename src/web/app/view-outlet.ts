import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { sentenceOf } from "../api/server-error.js";
import type { AppState } from "./state.js";
import type { View, ViewEntry } from "./views.js";

/** Modules that came already, so that going back to a view shows it at once. */
const loaded = new Map<string, View>();

/** The view of the address, fetched if it has to be. */
export function ViewOutlet({ app, entry }: { app: AppState; entry: ViewEntry }) {
  const arrived = useSignal(0);
  const failure = useSignal<string | null>(null);
  useEffect(() => {
    if (loaded.has(entry.id)) return;
    failure.value = null;
    entry
      .load()
      .then((view) => {
        loaded.set(entry.id, view);
        arrived.value += 1;
      })
      .catch((thrown: unknown) => {
        failure.value = `This view cannot be fetched; reload the page. (${sentenceOf(thrown)})`;
      });
  }, [entry.id]);
  // Read, so that the arrival draws again.
  void arrived.value;
  const CurrentView = loaded.get(entry.id);
  if (CurrentView !== undefined) return html`<${CurrentView} app=${app} />`;
  if (failure.value !== null) return html`<p class="error" role="alert">${failure.value}</p>`;
  return html`<p class="note">Loading…</p>`;
}
