import type { HttpReply } from "./system.js";

/** Milliseconds. */
const LIMIT = 5000;

/** `Date` is cut to whole seconds, so on average it is this far behind. Milliseconds. */
const CUT_OFF = 500;

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is not known (DNS)",
  EAI_AGAIN: "no name server answers (DNS)",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no network to it",
  ETIMEDOUT: "nothing answered in time",
  UND_ERR_CONNECT_TIMEOUT: "nothing answered in time",
  CERT_NOT_YET_VALID: "its certificate is not valid yet by this machine's clock",
  CERT_HAS_EXPIRED: "its certificate has expired by this machine's clock",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by an authority that Node does not know",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is signed by an authority that Node does not know",
};

/** Asks for the head of a page, to learn whether the server is reached and what time it has. */
export async function askServer(url: string): Promise<HttpReply | string> {
  const sent = Date.now();
  try {
    const response = await fetch(url, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(LIMIT) });
    await response.body?.cancel();
    const ownTime = (sent + Date.now()) / 2;
    return { status: response.status, serverTime: serverTime(response.headers), ownTime };
  } catch (thrown) {
    return reasonOf(thrown);
  }
}

/** An answer from a cache tells the time at which it was made, and how old it is. */
function serverTime(headers: Headers): number | null {
  const date = Date.parse(headers.get("date") ?? "");
  const age = Number(headers.get("age") ?? 0);
  return Number.isNaN(date) || !(age >= 0) ? null : date + age * 1000 + CUT_OFF;
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (thrown.name === "TimeoutError") return `nothing answered within ${LIMIT / 1000} seconds`;
  const cause = thrown.cause instanceof Error ? thrown.cause : thrown;
  const code: unknown = Reflect.get(cause, "code");
  return (typeof code === "string" ? REASONS[code] : undefined) ?? cause.message;
}
