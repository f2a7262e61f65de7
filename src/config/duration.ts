const UNITS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90s`, `30m`, `2h`, `1d` or a plain number; `null` when it is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([smhd]?)$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) return null;
  const seconds = Number(match[1]) * unit;
  return Number.isSafeInteger(Math.ceil(seconds)) ? seconds : null;
}

/** As `parseDuration`; `never`, and as Ollama has it any negative number, is `Infinity`. */
export function parseKeepAlive(text: string): number | null {
  const word = text.trim().toLowerCase();
  return word === "never" || /^-\d+(?:\.\d+)?[smhd]?$/.test(word) ? Number.POSITIVE_INFINITY : parseDuration(word);
}
