import type { HostPort } from "../../config/address.js";
import type { ExoError } from "../../core/errors.js";
import type { LinkKind } from "../../discovery/interface-kind.js";
import type { NodeHealth, NodeHello, NodeService } from "../../transport/node-service.js";
import type { NodeRecord } from "../node-record.js";

/** A peer's services, and the way to let go of the connection. */
export interface PeerClient extends Omit<NodeService, "hello" | "health"> {
  hello(self: NodeHello): Promise<NodeHello>;
  /** @param deadlineMs default: the client's own */
  health(deadlineMs?: number): Promise<NodeHealth>;
  /** Ends what is under way with this, but for what only asks whether the peer is there. */
  interrupt(reason: ExoError): void;
  close(): void;
}

export type MemberState = "alive" | "suspect" | "gone";

/** One of the addresses of a member. */
export interface MemberAddress {
  readonly address: HostPort;
  readonly inUse: boolean;
  /** What it is reached through; `null` when that is not known. */
  readonly kind: LinkKind | null;
  /** Of a small call, milliseconds; `null`: not measured. */
  readonly rttMs: number | null;
  /** Why it cannot be used, as a sentence, or `null`. */
  readonly reason: string | null;
}

/** Another node that takes, or took, part. */
export interface Member {
  readonly id: string;
  readonly name: string;
  /** In use. */
  readonly address: HostPort;
  /** All that are known, the one in use among them, best first. */
  readonly addresses: readonly MemberAddress[];
  readonly state: MemberState;
  /** Why it is not alive, or `null`. */
  readonly reason: string | null;
  /** What it last said of itself. */
  readonly record: NodeRecord;
  /** Over the address in use at the time of the call. */
  readonly client: PeerClient;
}

/** Who was met and takes no part. */
export interface Stranger {
  readonly id: string;
  readonly name: string;
  readonly address: HostPort;
  /** `refused`: it answers and cannot be used. `unreachable`: others hear it, this node does not. */
  readonly state: "refused" | "unreachable";
  readonly reason: string;
}
