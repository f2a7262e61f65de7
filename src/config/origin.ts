/** Pages of every origin, so also those that nobody thought of. */
export const ANY_ORIGIN = "*";

/** `scheme://host[:port]` as browsers write it in the header `Origin`, or `*`; `null` when it is neither. */
export function parseOrigin(text: string): string | null {
  if (text === ANY_ORIGIN) return text;
  const match = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<host>[^\s/?#@]+)\/?$/i.exec(text);
  if (match?.groups === undefined || !URL.canParse(text)) return null;
  const { scheme = "", host = "" } = match.groups;
  // Of schemes of the web a browser leaves out the port that is the usual one.
  return /^https?$/i.test(scheme) ? new URL(text).origin : `${scheme}://${host}`.toLowerCase();
}
