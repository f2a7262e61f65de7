const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, "": 1000, s: 1000, m: 60_000, h: 3_600_000 };

/** `250ms`, `30s`, `5m`, `1h`, or a plain number of seconds, as milliseconds; `null` when it is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = MILLISECONDS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) return null;
  return Number(match[1]) * unit;
}
