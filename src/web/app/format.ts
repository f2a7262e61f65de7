const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${amount.toFixed(power > 0 && amount < 100 ? 1 : 0)} ${UNITS[power] ?? "B"}`;
}

export function formatSeconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Half-open `[begin, end)` in the words of a reader: the last layer is named, not the one after it. */
export function formatLayers(begin: number, end: number): string {
  if (end <= begin) return "no layers";
  return end === begin + 1 ? `layer ${begin}` : `layers ${begin}-${end - 1}`;
}

/** Thousands apart, in the same way everywhere. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en");
}

export function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
