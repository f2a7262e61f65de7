import type { HostPort } from "../../config/address.js";
import type { Clock, Logger } from "../../core/ports.js";
import type { LinkKind } from "../../discovery/interface-kind.js";
import type { NodeHello } from "../../transport/node-service.js";
import type { NodeRecord } from "../node-record.js";
import type { PeerClient } from "./member.js";

export interface MembershipOptions {
  readonly hello: () => NodeHello;
  /** What this node says of itself; its stamp is put in here. */
  readonly record: () => NodeRecord;
  readonly connect: (address: HostPort) => PeerClient;
  /** Where this node listens, for a peer that does not know it from its own experience. */
  readonly ownAddress: () => HostPort;
  readonly heartbeatMs: number;
  /** Missed heartbeats until a member counts as gone. */
  readonly missesUntilGone: number;
  readonly logger: Logger;
  /** What a host is reached through. Default: not known. */
  readonly kindOf?: (host: string) => Promise<LinkKind | null>;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Least milliseconds for which a node that owes an answer gives no sign until it counts as silent. */
  readonly silenceMs?: number;
  /** Milliseconds that a node which is gone is remembered, and looked for. Default: ten minutes. */
  readonly forgetMs?: number;
}
