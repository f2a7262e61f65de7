import type { ComponentChildren } from "preact";
import type { AppState } from "./state.js";

export type View = (props: { app: AppState }) => ComponentChildren;

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
    id: "chat",
    title: "Chat",
    fills: true,
    load: async () => (await import("../chat/chat-view.js")).ChatView,
  },
  {
    id: "cluster",
    title: "Cluster",
    load: async () => (await import("../cluster/cluster-view.js")).ClusterView,
  },
  {
    id: "models",
    title: "Models",
    load: async () => (await import("../models/models-view.js")).ModelsView,
  },
  {
    id: "bench",
    title: "Benchmarks",
    load: async () => (await import("../bench/bench-view.js")).BenchView,
  },
  {
    id: "doctor",
    title: "Doctor",
    load: async () => (await import("../doctor/doctor-view.js")).DoctorView,
  },
  {
    id: "traces",
    title: "Traces",
    load: async () => (await import("../traces/traces-view.js")).TracesView,
  },
  {
    id: "connect",
    title: "Connect",
    load: async () => (await import("../connect/connect-view.js")).ConnectView,
  },
  {
    id: "settings",
    title: "Settings",
    load: async () => (await import("../settings/settings-view.js")).SettingsView,
  },
];
