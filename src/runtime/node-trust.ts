import type { Membership } from "../cluster/membership.js";
import { Admission } from "../cluster/trust/admission.js";
import type { ClusterTrust } from "../cluster/trust/cluster-trust.js";
import { Refusals } from "../cluster/trust/refusals.js";
import { TrustKeeper } from "../cluster/trust/trust-keeper.js";
import type { Logger } from "../core/ports.js";
import { ClusterCredentials } from "../transport/cluster-credentials.js";
import { openCredentials, plaintextCredentials, type TransportCredentials } from "../transport/credentials.js";
import { isCertifiedFor } from "../transport/peer-certificate.js";
import { TrustClient } from "../transport/trust-client.js";
import type { TrustService } from "../transport/trust-service.js";

export interface NodeTrustOptions {
  readonly trust: ClusterTrust;
  readonly credentials: TransportCredentials;
  /** Of this node. */
  readonly id: string;
  readonly name: string;
  readonly membership: () => Membership;
  readonly logger: Logger;
}

/** How a node's connections are secured. */
export async function credentialsFor(keys: ClusterTrust | null, open: boolean): Promise<TransportCredentials> {
  if (keys !== null) return new ClusterCredentials(keys);
  return open ? await openCredentials() : plaintextCredentials();
}

/** A node's part in a cluster with a secret: it lets others in, keeps keys in step, and remembers whom it refused. */
export class NodeTrust {
  readonly service: TrustService;
  readonly keeper: TrustKeeper;
  readonly refusals: Refusals;
  readonly #options: NodeTrustOptions;

  constructor(options: NodeTrustOptions) {
    const { trust, credentials, id: callerId, name, membership, logger } = options;
    this.#options = options;
    this.refusals = new Refusals(trust.clock, logger);
    this.service = new Admission({ trust, ownName: name, nameOf: (id) => this.#nameOf(id) ?? id.slice(0, 8), logger });
    this.keeper = new TrustKeeper({
      trust,
      name,
      members: () => membership().alive(),
      connect: ({ id, address }) => new TrustClient({ peer: address, nodeId: id, credentials, callerId }),
      logger,
    });
  }

  /** For `TransportServer`. */
  get server() {
    return {
      trust: this.service,
      onRefused: (refusal: Parameters<Refusals["add"]>[0]): void => {
        this.refusals.add(refusal, refusal.nodeId === null ? null : this.#nameOf(refusal.nodeId));
      },
    };
  }

  #nameOf(id: string): string | null {
    const { membership } = this.#options;
    return (
      membership()
        .members()
        .find((member) => isCertifiedFor(id, member.id))?.name ?? null
    );
  }
}
