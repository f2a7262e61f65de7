import { formatHostPort } from "../../config/address.js";
import type { JoinToken } from "../../config/join-token.js";
import { ExoError } from "../../core/errors.js";
import { askToJoin } from "../../transport/join-client.js";
import { CERTIFIED_ID, certifiedNodeOf, type Role } from "../../transport/peer-certificate.js";
import type { JoinedCluster, JoinRequest } from "../../transport/trust-service.js";
import { createKey, createRequest, type Key, keyFingerprint } from "./certificates.js";
import { requireIssued } from "./signer.js";
import type { TrustStore } from "./trust-store.js";

export interface Joined {
  readonly cluster: string;
  readonly nodeId: string;
  readonly role: Role;
}

/** Lets this machine into the cluster of a token. Nothing is kept unless that succeeds. */
export async function joinCluster(store: TrustStore, token: JoinToken, name: string, now: number): Promise<Joined> {
  if (await store.exists()) {
    throw new ExoError(
      "invalid_argument",
      "This machine is in a cluster already. To change over, leave that one first: exo-native cluster leave",
    );
  }
  if (now >= token.expiresAt) throw ended(token.expiresAt);
  const key = await createKey();
  const { inviteId, secret } = token;
  const joined = await askAll(token, { inviteId, secret, certificateRequest: await createRequest(key), name });
  const own = requireMember(joined, token, key);
  await store.create({
    facts: {
      name: joined.cluster,
      id: keyFingerprint(joined.state.authorities[0]?.certificate ?? ""),
      peers: token.peers.map(formatHostPort),
      ...joined.state,
    },
    node: { key: key.pem, certificate: joined.certificate },
    authorityKey: joined.authorityKey === "" ? null : joined.authorityKey,
  });
  return { cluster: joined.cluster, nodeId: own.id, role: own.role };
}

/** Whether this machine is in the cluster of the token, so that there is nothing to join. */
export async function isInClusterOf(store: TrustStore, token: JoinToken): Promise<boolean> {
  const files = (await store.exists()) ? await store.read() : null;
  return files?.facts.authorities.some(({ certificate }) => keyFingerprint(certificate) === token.authority) ?? false;
}

/** All addresses of the token are of one node; the first that answers counts. */
async function askAll({ peers, authority }: JoinToken, request: JoinRequest): Promise<JoinedCluster> {
  try {
    return await Promise.any(peers.map((peer) => askToJoin(peer, authority, request)));
  } catch (thrown) {
    const failures: readonly unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown];
    const errors = failures.map((failure) => ExoError.from(failure));
    // One that answered says more than those that did not.
    throw errors.find(({ code }) => code !== "peer_unreachable" && code !== "deadline_exceeded") ?? unreachable(errors);
  }
}

function unreachable([first]: readonly ExoError[]): ExoError {
  return new ExoError(
    "peer_unreachable",
    `${first?.message ?? "The token names no address."} The node that gave the token has to run, and its port to be let through.`,
    { cause: first },
  );
}

/** What came is for this machine's key, and signed by the authority of the token. */
function requireMember({ certificate, state, authorityKey }: JoinedCluster, { authority }: JoinToken, key: Key) {
  const own = certifiedNodeOf(certificate);
  const trusted = state.authorities.filter((one) => keyFingerprint(one.certificate) === authority);
  requireIssued(certificate, key, trusted);
  if (own !== null && CERTIFIED_ID.test(own.id) && (own.role === "admin") === (authorityKey !== "")) return own;
  throw new ExoError("unauthorized", "The cluster gave a certificate that is none of a node.");
}

function ended(expiresAt: number): ExoError {
  const when = new Date(expiresAt).toISOString().slice(0, 16).replace("T", " ");
  return new ExoError(
    "unauthorized",
    `The token ended at ${when} UTC by this machine's clock. Ask for a new one: exo-native cluster invite`,
  );
}
