import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { ExoError } from "../core/errors.js";
import type { Logger } from "../core/ports.js";
import type { JoinHandlers } from "./generated/exo/v1/Join.js";
import type { TrustHandlers } from "./generated/exo/v1/Trust.js";
import { parse } from "./parse.js";
import { type CertifiedNode, certifiedNode } from "./peer-certificate.js";
import { toGrpcStatus } from "./status-table.js";
import { joinRequestSchema, renewRequestSchema, toWireState, trustStateSchema } from "./trust-messages.js";
import { unauthorized } from "./trust-refusal.js";
import type { TrustService } from "./trust-service.js";

/** Offers a `TrustService` to members. */
export function trustHandlers(service: TrustService, logger: Logger): TrustHandlers {
  return {
    Exchange: answering(logger, async ({ request }) => {
      const theirs = parse(trustStateSchema, request, "What a peer knows of keys", "invalid_argument");
      return toWireState(await service.exchange(theirs));
    }),
    Renew: answering(logger, async (call) => {
      const { certificateRequest } = parse(renewRequestSchema, call.request, "A renewal", "invalid_argument");
      return service.renew(callerOf(call), certificateRequest);
    }),
    Leave: answering(logger, async (call) => ({ revoked: await service.leave(callerOf(call)) })),
  };
}

/** And to those who want to become members. */
export function joinHandlers(service: Pick<TrustService, "join">, logger: Logger): JoinHandlers {
  return {
    Join: answering(logger, async (call) => {
      const request = parse(joinRequestSchema, call.request, "A request to join", "invalid_argument");
      const { state, ...joined } = await service.join(request, call.getPeer());
      return { ...joined, state: toWireState(state) };
    }),
  };
}

function answering<Request, Response>(
  logger: Logger,
  answer: (call: ServerUnaryCall<Request, Response>) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    answer(call).then(
      (response) => callback(null, response),
      (thrown: unknown) => {
        const error = ExoError.from(thrown);
        const level = error.code === "internal" ? "error" : "debug";
        logger[level]({ peer: call.getPeer(), cause: error.cause }, `refused: ${error.message}`);
        callback(toGrpcStatus(error));
      },
    );
  };
}

function callerOf(call: ServerUnaryCall<unknown, unknown>): CertifiedNode {
  const { sslPeerCertificate } = call.getAuthContext();
  const peer = sslPeerCertificate === undefined ? null : certifiedNode(sslPeerCertificate);
  if (peer !== null) return peer;
  throw unauthorized("Only members of the cluster may ask that.");
}
