import { formatHostPort, type HostPort, parseHostPort } from "./address.js";
import { CLUSTER_NAME } from "./cluster-name.js";
import { isJoinToken, type JoinToken, parseJoinToken } from "./join-token.js";

/** Where nodes of an open cluster are, in one line that can be pasted: `exo-native://host:port,host:port?cluster=name`. */
export interface Invite {
  readonly peers: readonly HostPort[];
  /** `null`: it names none. */
  readonly cluster: string | null;
  /** It is no invite to an open cluster, but one to a cluster with a secret. */
  readonly token?: JoinToken;
}

const SCHEME = "exo-native://";
const MOST_PEERS = 64;

export function isInvite(text: string): boolean {
  return text.trim().toLowerCase().startsWith(SCHEME);
}

/** `null` when it is no invite, or says something that this release does not know: then it means more than would be done. */
export function parseInvite(text: string, defaultPort: number): Invite | null {
  if (!isInvite(text)) return null;
  const [hosts = "", query = "", ...rest] = text.trim().slice(SCHEME.length).split("?");
  const peers = hosts
    .replace(/\/$/, "")
    .split(",")
    .map((host) => parseHostPort(host, defaultPort));
  const named = parseQuery(query);
  if (rest.length > 0 || named === null || peers.length > MOST_PEERS || !peers.every((peer) => peer !== null))
    return null;
  return { peers, cluster: named.cluster };
}

/** An invite to an open cluster, or the token of one with a secret. */
export function parseJoin(text: string, defaultPort: number): Invite | null {
  if (!isJoinToken(text)) return parseInvite(text, defaultPort);
  const token = parseJoinToken(text, defaultPort);
  return token === null ? null : { peers: token.peers, cluster: null, token };
}

function parseQuery(query: string): Pick<Invite, "cluster"> | null {
  const parameters = [...new URLSearchParams(query)];
  const [first] = parameters;
  if (first === undefined) return { cluster: null };
  const [key, value] = first;
  return parameters.length === 1 && key === "cluster" && CLUSTER_NAME.test(value) ? { cluster: value } : null;
}

export function formatInvite({ peers, cluster }: Invite): string {
  const query = cluster === null ? "" : `?${new URLSearchParams({ cluster })}`;
  return `${SCHEME}${peers.map(formatHostPort).join(",")}${query}`;
}
