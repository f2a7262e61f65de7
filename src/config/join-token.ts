import { createHash } from "node:crypto";
import { formatHostPort, type HostPort, parseHostPort } from "./address.js";

/** What lets one machine into a cluster with a secret, in one word that can be pasted. */
export interface JoinToken {
  /** SHA-256 of the public key of the cluster's authority, hexadecimal: by it the newcomer knows the cluster. */
  readonly authority: string;
  /** Hexadecimal. */
  readonly inviteId: string;
  /** Hexadecimal; by it the cluster knows the newcomer. */
  readonly secret: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** Where the node is that admits. */
  readonly peers: readonly HostPort[];
}

const SCHEME = "exo-join-";
const VERSION = 1;
const AUTHORITY_BYTES = 32;
export const INVITE_ID_BYTES = 8;
export const SECRET_BYTES = 16;
const TIME_BYTES = 4;
const CHECK_BYTES = 4;
const HEAD_BYTES = 1 + AUTHORITY_BYTES + INVITE_ID_BYTES + SECRET_BYTES + TIME_BYTES;
const MOST_PEERS = 8;
const MOST_TEXT = 2048;

export function isJoinToken(text: string): boolean {
  return text.trim().toLowerCase().startsWith(SCHEME);
}

/**
 * Layout: version (1 byte), authority (32), invite (8), secret (16), end in seconds (4, big endian), addresses separated by
 * commas, and the first 4 bytes of the SHA-256 of all that, in base64url. `null` when it was cut, changed, or is of another
 * release.
 */
export function parseJoinToken(text: string, defaultPort: number): JoinToken | null {
  const trimmed = text.trim();
  if (!isJoinToken(trimmed) || trimmed.length > MOST_TEXT) return null;
  const bytes = Buffer.from(trimmed.slice(SCHEME.length), "base64url");
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (body.length <= HEAD_BYTES || body[0] !== VERSION || !checkOf(body).equals(bytes.subarray(-CHECK_BYTES)))
    return null;
  const peers = body
    .toString("utf8", HEAD_BYTES)
    .split(",")
    .map((peer) => parseHostPort(peer, defaultPort));
  if (peers.length > MOST_PEERS || !peers.every((peer) => peer !== null)) return null;
  return { ...readHead(body), peers };
}

function readHead(body: Buffer): Omit<JoinToken, "peers"> {
  let at = 1;
  const hex = (length: number): string => {
    at += length;
    return body.toString("hex", at - length, at);
  };
  const authority = hex(AUTHORITY_BYTES);
  const inviteId = hex(INVITE_ID_BYTES);
  const secret = hex(SECRET_BYTES);
  return { authority, inviteId, secret, expiresAt: body.readUInt32BE(at) * 1000 };
}

export function formatJoinToken({ authority, inviteId, secret, expiresAt, peers }: JoinToken): string {
  const end = Buffer.alloc(TIME_BYTES);
  end.writeUInt32BE(Math.floor(expiresAt / 1000));
  const body = Buffer.concat([
    Buffer.from([VERSION]),
    Buffer.from(authority + inviteId + secret, "hex"),
    end,
    Buffer.from(peers.slice(0, MOST_PEERS).map(formatHostPort).join(",")),
  ]);
  return SCHEME + Buffer.concat([body, checkOf(body)]).toString("base64url");
}

/** Against mistakes in copying; it protects from nobody. */
function checkOf(body: Buffer): Buffer {
  return createHash("sha256").update(body).digest().subarray(0, CHECK_BYTES);
}
