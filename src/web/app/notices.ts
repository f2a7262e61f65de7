import { type ReadonlySignal, signal } from "@preact/signals";
import { html } from "htm/preact";

const SECONDS = 12;
const MOST = 4;

export interface Notice {
  readonly id: number;
  readonly text: string;
}

/** Sentences that come up for a while at the edge of the page, and are read out. */
export class Notices {
  readonly #list = signal<readonly Notice[]>([]);
  #next = 1;

  get list(): ReadonlySignal<readonly Notice[]> {
    return this.#list;
  }

  add(text: string): void {
    if (this.#list.value.some((notice) => notice.text === text)) return;
    const notice = { id: this.#next, text };
    this.#next += 1;
    this.#list.value = [...this.#list.value.slice(1 - MOST), notice];
    setTimeout(() => this.dismiss(notice.id), SECONDS * 1000);
  }

  dismiss(id: number): void {
    this.#list.value = this.#list.value.filter((notice) => notice.id !== id);
  }
}

export function NoticeList({ notices }: { notices: Notices }) {
  return html`<div class="notices" role="status" aria-live="polite">
    ${notices.list.value.map(
      ({ id, text }) => html`<p class="notice" key=${id}>
        <span>${text}</span>
        <button type="button" class="quiet" aria-label="Dismiss" onClick=${() => notices.dismiss(id)}>×</button>
      </p>`,
    )}
  </div>`;
}
