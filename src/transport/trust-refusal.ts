import { ExoError } from "../core/errors.js";

/** Stands before a sentence that says why a connection was refused, so that it is found again in what gRPC makes of it. */
const MARK = "exo-trust: ";

export function refusalError(sentence: string): Error {
  return new Error(MARK + sentence);
}

/** The sentence in a text of gRPC's, or `null`. */
export function refusalIn(details: string): string | null {
  const at = details.indexOf(MARK);
  if (at < 0) return null;
  return details
    .slice(at + MARK.length)
    .replace(/(?: \(\d{4}-[^)]*\))?\.?\s*Resolution note.*$/s, "")
    .trim();
}

const OTHER_CLUSTER =
  "It is of another cluster or of none: its certificate is not signed by this cluster's authority. Let it join with a token " +
  "of `exo-native cluster invite`, or leave it alone.";
const NO_TLS = "It does not encrypt: it is a node without a cluster, or no exo-native node.";
const WRONG_TIME =
  "Its certificate is not valid at this machine's time: compare the clocks, or start it so that it gets a new one.";

/** By error codes of OpenSSL and Node.js. */
const SENTENCES: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_CLUSTER,
  DEPTH_ZERO_SELF_SIGNED_CERT: OTHER_CLUSTER,
  UNABLE_TO_GET_ISSUER_CERT: OTHER_CLUSTER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_CLUSTER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_CLUSTER,
  CERT_SIGNATURE_FAILURE: OTHER_CLUSTER,
  INVALID_CA: OTHER_CLUSTER,
  INVALID_PURPOSE: OTHER_CLUSTER,
  CERT_HAS_EXPIRED: WRONG_TIME,
  CERT_NOT_YET_VALID: WRONG_TIME,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "It speaks an older version of TLS than 1.3.",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "It speaks an older version of TLS than 1.3.",
};

/** Why a connection could not be secured, as a sentence; `null`: for a reason that has nothing to do with trust. */
export function sentenceForTls(code: string | undefined): string | null {
  return code === undefined ? null : (SENTENCES[code] ?? null);
}

export function unauthorized(sentence: string): ExoError {
  return new ExoError("unauthorized", sentence);
}
