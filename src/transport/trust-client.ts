import type { ClientUnaryCall, Metadata, requestCallback } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { nodeMetadata } from "./caller.js";
import { channelTarget } from "./channel-target.js";
import type { TransportCredentials } from "./credentials.js";
import type { LeaveResponse__Output } from "./generated/exo/v1/LeaveResponse.js";
import type { RenewResponse__Output } from "./generated/exo/v1/RenewResponse.js";
import type { TrustState__Output } from "./generated/exo/v1/TrustState.js";
import { controlChannelOptions } from "./limits.js";
import { parse } from "./parse.js";
import { TrustStub } from "./proto.js";
import { fromGrpcStatus } from "./status-table.js";
import { issuedSchema, toWireState, trustStateSchema } from "./trust-messages.js";
import type { IssuedCertificate, TrustState } from "./trust-service.js";

const DEADLINE_MS = 10_000;

export interface TrustClientOptions {
  readonly peer: HostPort;
  /** Of the peer; `null`: whichever member is there. */
  readonly nodeId: string | null;
  readonly credentials: TransportCredentials;
  /** This node's. */
  readonly callerId: string;
}

/** What a member asks another one of keys, over a connection of its own. */
export class TrustClient {
  readonly #stub: InstanceType<typeof TrustStub>;
  readonly #metadata: Metadata;
  readonly #peer: string;
  readonly #underWay = new Set<ClientUnaryCall>();

  constructor({ peer, nodeId, credentials, callerId }: TrustClientOptions) {
    const channel = nodeId === null ? credentials.channel : credentials.channelTo(nodeId);
    this.#stub = new TrustStub(channelTarget(peer), channel, controlChannelOptions);
    this.#metadata = nodeMetadata(callerId);
    this.#peer = `The node at ${formatHostPort(peer)}`;
  }

  async exchange(own: TrustState): Promise<TrustState> {
    const answer = await this.#ask<TrustState__Output>((callback) =>
      this.#stub.Exchange(toWireState(own), this.#metadata, deadline(), callback),
    );
    return parse(trustStateSchema, answer, `What ${this.#peer} knows of keys`, "peer_incompatible");
  }

  async renew(certificateRequest: Buffer): Promise<IssuedCertificate> {
    const answer = await this.#ask<RenewResponse__Output>((callback) =>
      this.#stub.Renew({ certificateRequest }, this.#metadata, deadline(), callback),
    );
    return parse(issuedSchema, answer, `The certificate from ${this.#peer}`, "peer_incompatible");
  }

  /** Whether an admin revoked this node. */
  async leave(): Promise<boolean> {
    const answer = await this.#ask<LeaveResponse__Output>((callback) =>
      this.#stub.Leave({}, this.#metadata, deadline(), callback),
    );
    return answer.revoked;
  }

  /** Ends calls under way. */
  close(): void {
    for (const call of this.#underWay) call.cancel();
    this.#stub.close();
  }

  async #ask<Response>(start: (callback: requestCallback<Response>) => ClientUnaryCall): Promise<Response> {
    let call: ClientUnaryCall | null = null;
    try {
      return await unary<Response>(this.#peer, (callback) => {
        call = start(callback);
        this.#underWay.add(call);
        return call;
      });
    } finally {
      if (call !== null) this.#underWay.delete(call);
    }
  }
}

function deadline(): { readonly deadline: number } {
  return { deadline: Date.now() + DEADLINE_MS };
}

/** One call as a promise; its failure as the peer meant it. */
export function unary<Response>(
  peer: string,
  start: (callback: requestCallback<Response>) => ClientUnaryCall,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => {
      if (error !== null) reject(fromGrpcStatus(error, peer));
      else if (response !== undefined) resolve(response);
    });
  });
}
