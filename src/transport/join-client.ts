import { createHash, type X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import { formatHostPort, type HostPort } from "../config/address.js";
import { channelTarget } from "./channel-target.js";
import { TLS_NAME, TLS_VERSION } from "./credentials.js";
import type { JoinResponse__Output } from "./generated/exo/v1/JoinResponse.js";
import { controlChannelOptions } from "./limits.js";
import { parse } from "./parse.js";
import { certifiedNode } from "./peer-certificate.js";
import { JoinStub } from "./proto.js";
import { unary } from "./trust-client.js";
import { joinedSchema } from "./trust-messages.js";
import { refusalError, sentenceForTls } from "./trust-refusal.js";
import type { JoinedCluster, JoinRequest } from "./trust-service.js";

const DEADLINE_MS = 15_000;

/**
 * Asks the node at `peer` to be let in. Nothing is sent before the node has shown that it is an admin of the cluster with
 * this authority.
 *
 * @param authority SHA-256 of the authority's public key, hexadecimal
 */
export async function askToJoin(peer: HostPort, authority: string, request: JoinRequest): Promise<JoinedCluster> {
  const stub = new JoinStub(channelTarget(peer), new JoinChannel(authority), controlChannelOptions);
  const where = `The node at ${formatHostPort(peer)}`;
  const message = { ...request, certificateRequest: Buffer.from(request.certificateRequest) };
  try {
    const answer = await unary<JoinResponse__Output>(where, (callback) =>
      stub.Join(message, { deadline: Date.now() + DEADLINE_MS }, callback),
    );
    return parse(joinedSchema, answer, `The answer of ${where}`, "peer_incompatible");
  } finally {
    stub.close();
  }
}

/** TLS to a cluster that is known by its authority's fingerprint alone. */
class JoinChannel extends ChannelCredentials {
  readonly #authority: string;

  constructor(authority: string) {
    super();
    this.#authority = authority;
  }

  _isSecure(): boolean {
    return true;
  }

  _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(): ReturnType<ChannelCredentials["_createSecureConnector"]> {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: async () => {},
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        servername: TLS_NAME,
        ALPNProtocols: ["h2"],
        minVersion: TLS_VERSION,
        // The authority is not known yet, only its fingerprint: the chain is checked below.
        rejectUnauthorized: false,
      });
      secured.on("error", (error: NodeJS.ErrnoException) => {
        const sentence = sentenceForTls(error.code);
        reject(sentence === null ? error : refusalError(sentence));
      });
      secured.once("close", () => reject(new Error("The connection was closed.")));
      secured.once("secureConnect", () => {
        const reason = whyNotAdmitted(secured, this.#authority);
        if (reason === null) resolve(secured);
        else secured.destroy(refusalError(reason));
      });
    });
  }
}

/** Why the secret is not sent there, as a sentence, or `null`. */
function whyNotAdmitted(socket: TLSSocket, authority: string): string | null {
  const peer = certifiedNode(socket.getPeerCertificate());
  const certificate = socket.getPeerX509Certificate();
  if (peer === null || certificate === undefined) return `${NOT_THE_CLUSTER} It is no node of a cluster with a secret.`;
  if (!isSignedBy(certificate, authority)) return NOT_THE_CLUSTER;
  const now = Date.now();
  if (now < peer.notBefore || now > peer.notAfter) {
    return "Its certificate is not valid at this machine's time: compare the clocks.";
  }
  return peer.role === "admin" ? null : "It is a member that cannot admit others; somebody may have put it in the way.";
}

const NOT_THE_CLUSTER =
  "It is not the cluster of the token: its authority is another one. Somebody may be in between, or the cluster was made anew " +
  "or changed its authority since; ask for a new token.";

/** The authority's own certificate comes with the node's. */
function isSignedBy(certificate: X509Certificate, authority: string): boolean {
  const issuer = issuerOf(certificate);
  if (issuer === null || !issuer.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
    return false;
  const spki = issuer.publicKey.export({ format: "der", type: "spki" });
  return createHash("sha256").update(spki).digest("hex") === authority;
}

function issuerOf(certificate: X509Certificate): X509Certificate | null {
  return certificate.issuerCertificate ?? null;
}
