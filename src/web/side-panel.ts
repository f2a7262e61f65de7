import { byId } from "./element.js";

/** The panel with ring and settings: beside the chat where there is room, else over it when asked for. */
export function startSidePanel(): void {
  const side = byId("side", HTMLElement);
  const toggle = byId("side-toggle", HTMLButtonElement);
  const show = (open: boolean): void => {
    side.classList.toggle("open", open);
    toggle.setAttribute("aria-expanded", String(open));
  };
  toggle.addEventListener("click", () => show(!side.classList.contains("open")));
  byId("new-chat", HTMLButtonElement).addEventListener("click", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(false);
  });
}
