import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { toHash } from "./route.js";
import { VIEWS } from "./views.js";

/** Links to all views: in a row where there is room, else behind a button. */
export function Navigation({ current }: { current: string }) {
  const open = useSignal(false);
  useEffect(() => {
    open.value = false;
  }, [current]);
  const closeOnEscape = (event: KeyboardEvent): void => {
    if (event.key === "Escape") open.value = false;
  };
  return html`<nav class=${`navigation${open.value ? " open" : ""}`} aria-label="Views" onKeyDown=${closeOnEscape}>
    <button
      type="button"
      class="navigation-toggle"
      aria-expanded=${open.value}
      aria-controls="navigation-list"
      onClick=${() => {
        open.value = !open.value;
      }}
    >
      Menu
    </button>
    <ul id="navigation-list">
      ${VIEWS.map(
        ({ id, title }) => html`<li key=${id}>
          <a href=${toHash(id)} aria-current=${id === current ? "page" : undefined}>${title}</a>
        </li>`,
      )}
    </ul>
  </nav>`;
}
