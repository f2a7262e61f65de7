import type { NodeRecord } from "../cluster/node-record.js";
import type { Metrics, Reading } from "../core/ports.js";
import { knownRings } from "./known-rings.js";
import type { NodeMetricSources } from "./node-metrics.js";

const MEMBER_STATES = ["alive", "suspect", "gone"] as const;
const RING_STATES = ["waiting", "loading", "ready", "failed"] as const;

/** This node, and what it knows of the others. */
export function registerClusterMetrics(metrics: Metrics, sources: NodeMetricSources): void {
  const { self, members, meters } = sources;
  metrics.gauge(
    { name: "exo_native_info", help: "1; what this node is", labels: ["node", "version", "llama_cpp"] },
    () => {
      const { name, version, llamaTag } = self();
      return [{ labels: [name, version, llamaTag], value: 1 }];
    },
  );
  metrics.gauge(
    { name: "exo_native_members", help: "Nodes of the cluster as this one sees them, itself too", labels: ["state"] },
    () => counted(MEMBER_STATES, ["alive", ...members().map(({ state }) => state)]),
  );
  metrics.gauge({ name: "exo_native_rings", help: "Rings that this node knows of", labels: ["state"] }, () =>
    counted(
      RING_STATES,
      knownRings(sources).map(({ state }) => state),
    ),
  );
  metrics.counter(
    {
      name: "exo_native_replans_total",
      help: "Rings of this head that were placed anew: broken, or better",
      labels: ["model", "cause"],
    },
    () => meters.replans,
  );
  registerDevices(metrics, self);
  registerDownloads(metrics, self);
}

function counted(words: readonly string[], found: readonly string[]): Reading[] {
  return words.map((word) => ({ labels: [word], value: found.filter((one) => one === word).length }));
}

function registerDevices(metrics: Metrics, self: () => NodeRecord): void {
  const perDevice = (measure: (device: NodeRecord["devices"][number]) => number) => () =>
    self().devices.map((device): Reading => ({ labels: [device.name, device.kind], value: measure(device) }));
  metrics.gauge(
    {
      name: "exo_native_device_memory_total_bytes",
      help: "Memory of a device of this node",
      labels: ["device", "kind"],
    },
    perDevice(({ memoryTotal }) => memoryTotal),
  );
  metrics.gauge(
    { name: "exo_native_device_memory_free_bytes", help: "Of that, what is free", labels: ["device", "kind"] },
    perDevice(({ memoryFree }) => memoryFree),
  );
}

function registerDownloads(metrics: Metrics, self: () => NodeRecord): void {
  const perDownload = (measure: (download: NodeRecord["downloads"][number]) => number) => () =>
    self().downloads.map((download): Reading => ({ labels: [download.model], value: measure(download) }));
  metrics.gauge({ name: "exo_native_downloads_active", help: "Models that this node fetches now", labels: [] }, () => [
    { labels: [], value: self().downloads.length },
  ]);
  metrics.gauge(
    { name: "exo_native_download_received_bytes", help: "Of a model being fetched, what is here", labels: ["model"] },
    perDownload(({ received }) => received),
  );
  metrics.gauge(
    {
      name: "exo_native_download_size_bytes",
      help: "Of a model being fetched, all that this node wants; 0 while unknown",
      labels: ["model"],
    },
    perDownload(({ total }) => total ?? 0),
  );
  metrics.gauge(
    { name: "exo_native_download_bytes_per_second", help: "How fast it comes", labels: ["model"] },
    perDownload(({ bytesPerSecond }) => bytesPerSecond),
  );
}
