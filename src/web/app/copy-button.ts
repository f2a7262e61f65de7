import { useSignal } from "@preact/signals";
import { html } from "htm/preact";
import { copyText } from "./copy-text.js";

const MILLISECONDS = 2000;

/** Copies a text and says so. */
export function CopyButton({ text, what }: { text: () => string; what: string }) {
  const outcome = useSignal("");
  const copy = async (): Promise<void> => {
    outcome.value = (await copyText(text())) ? "Copied" : "Cannot copy here";
    setTimeout(() => {
      outcome.value = "";
    }, MILLISECONDS);
  };
  return html`<button type="button" class="quiet copy" aria-label=${outcome.value || `Copy ${what}`} onClick=${copy}>
    ${outcome.value || "Copy"}
  </button>`;
}
