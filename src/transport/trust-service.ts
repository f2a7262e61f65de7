import type { CertifiedNode } from "./peer-certificate.js";

/** One that signs certificates of a cluster. PEM. */
export interface AuthorityRecord {
  readonly certificate: string;
  /** The same key, signed by the authority before; "" of the first. */
  readonly crossCertificate: string;
}

/** That a node is out of the cluster, said by an authority. */
export interface RevocationRecord {
  /** As in its certificate. */
  readonly nodeId: string;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly reason: "revoked" | "left";
  /** Base64. */
  readonly signature: string;
}

/** What all members of a cluster come to know alike. */
export interface TrustState {
  readonly authorities: readonly AuthorityRecord[];
  readonly revocations: readonly RevocationRecord[];
}

export interface JoinRequest {
  readonly inviteId: string;
  readonly secret: string;
  /** PKCS #10, DER. */
  readonly certificateRequest: Uint8Array;
  readonly name: string;
}

export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM of the authority's private key, for an admin; else "". */
  readonly authorityKey: string;
}

export interface JoinedCluster extends IssuedCertificate {
  readonly cluster: string;
  readonly state: TrustState;
}

/** What a node of a cluster with a secret does for members, and for those who want to become one. */
export interface TrustService {
  /** @param from where the newcomer called from, for the log */
  join(request: JoinRequest, from: string): Promise<JoinedCluster>;
  exchange(theirs: TrustState): Promise<TrustState>;
  renew(caller: CertifiedNode, certificateRequest: Uint8Array): Promise<IssuedCertificate>;
  /** Whether the caller is revoked now. */
  leave(caller: CertifiedNode): Promise<boolean>;
}
