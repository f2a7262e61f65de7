import { z } from "zod";
import { NODE_NAME } from "../config/node-name.js";
import { CERTIFIED_ID } from "./peer-certificate.js";
import type { IssuedCertificate, JoinedCluster, JoinRequest, TrustState } from "./trust-service.js";

/** Any message of `trust.proto`: thousands of revocations fit in. */
export const MAX_TRUST_BYTES = 4 * 1024 * 1024;
/** What somebody outside of the cluster may send. */
export const MAX_JOIN_BYTES = 16 * 1024;

const MOST_AUTHORITIES = 64;
const MOST_REVOCATIONS = 8192;

const pem = z.string().min(1).max(8192);
const request = z.instanceof(Uint8Array).refine(({ byteLength }) => byteLength <= 4096, "it is too large");
/** It is shown on terminals. */
const name = z.string().regex(NODE_NAME);

const revocation = z.object({
  nodeId: z.string().regex(CERTIFIED_ID),
  name,
  atMs: z.number().nonnegative(),
  reason: z.enum(["revoked", "left"]),
  signature: z.string().max(256),
});

const authority = z.object({ certificate: pem, crossCertificate: z.string().max(8192) });

export const trustStateSchema: z.ZodType<TrustState> = z.object({
  authorities: z.array(authority).max(MOST_AUTHORITIES),
  revocations: z.array(revocation).max(MOST_REVOCATIONS),
});

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

export const joinRequestSchema: z.ZodType<JoinRequest> = z.object({
  inviteId: hex(8),
  secret: hex(16),
  certificateRequest: request,
  name,
});

export const renewRequestSchema = z.object({ certificateRequest: request });

const authorityKey = z.string().max(8192);

export const issuedSchema: z.ZodType<IssuedCertificate> = z.object({ certificate: pem, authorityKey });

export const joinedSchema: z.ZodType<JoinedCluster> = z.object({
  cluster: z.string().max(64),
  certificate: pem,
  state: trustStateSchema,
  authorityKey,
});

/** As protobuf's types want lists. */
export function toWireState({ authorities, revocations }: TrustState) {
  return { authorities: [...authorities], revocations: [...revocations] };
}
