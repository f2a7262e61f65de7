import { ExoError } from "../../core/errors.js";
import type { Logger } from "../../core/ports.js";
import { type CertifiedNode, certifiedNodeOf } from "../../transport/peer-certificate.js";
import type {
  IssuedCertificate,
  JoinedCluster,
  JoinRequest,
  TrustService,
  TrustState,
} from "../../transport/trust-service.js";
import { readRequest, type Signer } from "./certificates.js";
import type { ClusterTrust } from "./cluster-trust.js";
import { InviteBook } from "./invites.js";
import { addMember, plainName } from "./known-members.js";
import { signRevocation } from "./revocations.js";
import { issueNow, keyFor } from "./signer.js";

export interface AdmissionOptions {
  readonly trust: ClusterTrust;
  /** What to call a node, by the id in its certificate. */
  readonly nameOf: (id: string) => string;
  /** Of this node. */
  readonly ownName: string;
  readonly logger: Logger;
}

/** Complaints that are remembered, so that each is made once. */
const MOST_COMPLAINTS = 256;

/** What this node does for members, and for those who hold a token. */
export class Admission implements TrustService {
  readonly #options: AdmissionOptions;
  readonly #invites: InviteBook;
  readonly #complaints = new Set<string>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#invites = new InviteBook(options.trust.store);
  }

  async join(request: JoinRequest, from: string): Promise<JoinedCluster> {
    try {
      return await this.#admit(request);
    } catch (thrown) {
      const error = ExoError.from(thrown);
      this.#complain(request, from, error);
      throw error;
    }
  }

  async exchange(theirs: TrustState): Promise<TrustState> {
    await this.#options.trust.take(theirs);
    return this.#options.trust.state();
  }

  async renew({ id, role }: CertifiedNode, certificateRequest: Uint8Array): Promise<IssuedCertificate> {
    const signer = await this.#requireSigner();
    const { publicKey } = await readRequest(certificateRequest);
    const { trust, nameOf, logger } = this.#options;
    const certificate = await issueNow(signer, trust.cluster, { id, role, publicKey }, trust.clock.wall());
    logger.info({ node: nameOf(id), id }, "gave a member a new certificate");
    return { certificate, authorityKey: keyFor(role, signer) };
  }

  async leave({ id }: CertifiedNode): Promise<boolean> {
    const { trust, nameOf, logger } = this.#options;
    const name = plainName(nameOf(id), id);
    logger.info({ node: name, id }, "a member leaves the cluster");
    const signer = await trust.signer();
    if (signer === null) return false;
    const facts = { nodeId: id, name, atMs: trust.clock.wall(), reason: "left" } as const;
    // The connection that the answer goes over lasts until the files are looked at again.
    await trust.keep({ authorities: [], revocations: [signRevocation(facts, signer.key.pem)] });
    return true;
  }

  /** The secret is checked before anything else of the request is read. */
  async #admit({ inviteId: id, secret, certificateRequest, name }: JoinRequest): Promise<JoinedCluster> {
    const { trust, ownName, logger } = this.#options;
    const signer = await this.#requireSigner();
    const now = trust.clock.wall();
    const { admin } = await this.#invites.check({ id, secret }, now);
    const request = await readRequest(certificateRequest);
    await this.#invites.use({ id, secret }, { id: request.id, name }, now);
    const role = admin ? "admin" : "member";
    const certificate = await issueNow(
      signer,
      trust.cluster,
      { id: request.id, role, publicKey: request.publicKey },
      now,
    );
    const admitted = certifiedNodeOf(certificate);
    if (admitted !== null) await addMember(trust.store, admitted, name, now);
    logger.info({ node: name, id: request.id, role, by: ownName }, "a node was let into the cluster");
    return { cluster: trust.cluster, certificate, state: trust.state(), authorityKey: keyFor(role, signer) };
  }

  async #requireSigner(): Promise<Signer> {
    const signer = await this.#options.trust.signer();
    if (signer !== null) return signer;
    throw new ExoError(
      "not_ready",
      `${this.#options.ownName} cannot sign certificates: it is no admin of the cluster, or has not got the newest authority's key yet.`,
    );
  }

  #complain({ inviteId, name }: JoinRequest, from: string, { message }: ExoError): void {
    const key = `${inviteId} ${message}`;
    if (this.#complaints.has(key)) return;
    if (this.#complaints.size >= MOST_COMPLAINTS) this.#complaints.clear();
    this.#complaints.add(key);
    this.#options.logger.warn({ from, name }, `a node was not let into the cluster: ${message}`);
  }
}
