import type { VNode } from "preact";
import type { AppState } from "./state.js";

export type View = (props: { app: AppState }) => VNode;

export interface ViewEntry {
  /** In the address: `#/<id>`. */
  readonly id: string;
  /** In the navigation and the title. */
  readonly title: string;
  /** The view fills the page and scrolls inside of itself. */
  readonly fills?: boolean;
  readonly load: () => Promise<View>;
}

/** The views in the order of the navigation. Each is fetched when it is first asked for. */
export const VIEWS: readonly ViewEntry[] = [
  {
    id: "settings",
    title: "Settings",
    load: async () => (await import("../settings/settings-view.js")).SettingsView,
  },
];
