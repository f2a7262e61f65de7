import { signal } from "@preact/signals";

/** As in `chat.css`: narrower than this, a panel lies over the conversation. */
const NARROW = "(max-width: 63.99rem)";
const ROOM_FOR_BOTH = "(min-width: 80rem)";

export type PanelName = "history" | "parameters";

/** Which panels beside the conversation are seen. */
export class Panels {
  readonly history = signal(!matchMedia(NARROW).matches);
  readonly parameters = signal(matchMedia(ROOM_FOR_BOTH).matches);

  toggle(name: PanelName): void {
    if (this[name].value) this[name].value = false;
    else this.show(name);
  }

  show(name: PanelName): void {
    if (matchMedia(NARROW).matches) this.hideAll();
    this[name].value = true;
  }

  /** Hides a panel from within; the focus goes to what shows it again. */
  close(name: PanelName): void {
    this[name].value = false;
    document.getElementById(`${name}-toggle`)?.focus();
  }

  /** Where a panel covers the conversation it goes once it has done its work. */
  hideIfNarrow(): void {
    if (matchMedia(NARROW).matches) this.hideAll();
  }

  hideAll(): void {
    this.history.value = false;
    this.parameters.value = false;
  }
}
