import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from "@grpc/grpc-js";
import type { ExoError } from "../core/errors.js";
import { callingNode } from "./caller.js";
import { certifiedNode, isCertifiedFor } from "./peer-certificate.js";
import { toGrpcStatus } from "./status-table.js";
import { unauthorized } from "./trust-refusal.js";

/** Why a call is refused when nothing but its metadata was read, or `null`. */
export type Verdict = (path: string, call: ServerInterceptingCallInterface, metadata: Metadata) => ExoError | null;

/** Refuses calls before their messages are read. */
export function refusingInterceptor(verdict: Verdict): ServerInterceptor {
  return ({ path }, call) => {
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const refusal = verdict(path, call, metadata);
        if (refusal === null) next(metadata);
        else call.sendStatus(toGrpcStatus(refusal));
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

/** A caller speaks for the node of its certificate, and for no other. */
export const callerIsCertified: Verdict = (_, call, metadata) => {
  const { sslPeerCertificate } = call.getAuthContext();
  const certified = sslPeerCertificate === undefined ? null : certifiedNode(sslPeerCertificate);
  const claimed = callingNode(metadata);
  if (certified !== null && claimed !== null && isCertifiedFor(certified.id, claimed)) return null;
  return unauthorized(
    `A caller with the certificate of node ${certified?.id ?? "nobody"} says that it is ${claimed ?? "nobody"}: refused.`,
  );
};
