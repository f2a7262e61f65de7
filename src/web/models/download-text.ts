import type { ClusterDownload } from "../api/cluster-document.js";
import { formatBytes } from "../app/format.js";

/** How far a download is, how fast, and how long it still takes. */
export function downloadText({
  received,
  total,
  phase,
  bytesPerSecond,
}: Pick<ClusterDownload, "received" | "total" | "phase" | "bytesPerSecond">): string {
  if (phase === "waiting") return "Waits for another process on that machine that fetches the same.";
  const amount = total === null ? formatBytes(received) : `${formatBytes(received)} of ${formatBytes(total)}`;
  if (phase === "verifying") return `${amount}, comparing the bytes with what was promised`;
  const rate = bytesPerSecond > 0 ? `${formatBytes(bytesPerSecond)}/s` : "";
  return [amount, rate, remainingTime(received, total, bytesPerSecond)].filter((text) => text !== "").join(", ");
}

/** How long what is missing takes at this rate, e.g. `3 min left`; empty where that cannot be said. Bytes, bytes per second. */
function remainingTime(received: number, total: number | null, rate: number): string {
  if (total === null || rate <= 0 || received >= total) return "";
  return `${durationText((total - received) / rate)} left`;
}

export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.round((seconds - hours * 3600) / 60);
  return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
}
