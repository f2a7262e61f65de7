import { html } from "htm/preact";
import type { RefObject } from "preact";

const KEYS: readonly (readonly [keys: readonly string[], does: string])[] = [
  [["Enter"], "sends the message"],
  [["Shift", "Enter"], "starts a new line"],
  [["Escape"], "stops the answer, or closes a panel"],
  [["Ctrl", "Shift", "O"], "starts a new chat"],
  [["Ctrl", "/"], "shows this list"],
];

/** The list of keys. */
export function Shortcuts({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return html`<dialog ref=${dialog} class="shortcuts" aria-labelledby="shortcuts-title">
    <h2 id="shortcuts-title">Keys</h2>
    <dl>
      ${KEYS.map(
        ([keys, does]) => html`<div key=${does}>
          <dt>${keys.map((key, index) => html`${index > 0 ? "+" : ""}<kbd>${key}</kbd>`)}</dt>
          <dd>${does}</dd>
        </div>`,
      )}
    </dl>
    <form method="dialog"><button type="submit" class="primary">Close</button></form>
  </dialog>`;
}
