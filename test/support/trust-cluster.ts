import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Admission } from "../../src/cluster/trust/admission.js";
import { keyFingerprint } from "../../src/cluster/trust/certificates.js";
import { requireCluster, requireSigner } from "../../src/cluster/trust/change-cluster.js";
import { ClusterTrust } from "../../src/cluster/trust/cluster-trust.js";
import { foundCluster } from "../../src/cluster/trust/found-cluster.js";
import { InviteBook, type InviteOptions } from "../../src/cluster/trust/invites.js";
import { joinCluster } from "../../src/cluster/trust/join-cluster.js";
import { TrustStore } from "../../src/cluster/trust/trust-store.js";
import type { HostPort } from "../../src/config/address.js";
import { formatJoinToken, type JoinToken, parseJoinToken } from "../../src/config/join-token.js";
import { type Clock, type Logger, silentLogger, systemClock } from "../../src/core/ports.js";
import { ClusterCredentials } from "../../src/transport/cluster-credentials.js";
import { ControlClient } from "../../src/transport/control-client.js";
import { HopServer } from "../../src/transport/hop-server.js";
import type { NodeService } from "../../src/transport/node-service.js";
import { TransportServer } from "../../src/transport/transport-server.js";
import type { Refusal } from "../../src/transport/trust-view.js";
import { BUILD, hello, LOOPBACK, serviceWith } from "../integration/transport-harness.js";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** A configuration directory that goes with the test. */
export async function configDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "exo-native-trust-"));
  context.after(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  return directory;
}

/** A machine that founded a cluster. */
export async function founder(context: TestContext, cluster = "home"): Promise<string> {
  const directory = await configDirectory(context);
  await foundCluster(new TrustStore(directory), cluster, Date.now());
  return directory;
}

export interface TrustedNodeOptions {
  readonly service?: Partial<NodeService>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly name?: string;
}

/** A node of a cluster with a secret as far as the transport goes. */
export interface TrustedNode {
  readonly trust: ClusterTrust;
  readonly credentials: ClusterCredentials;
  readonly address: HostPort;
  readonly id: string;
  readonly refusals: readonly Refusal[];
  readonly hops: HopServer;
  stop(): Promise<void>;
}

export async function startTrusted(
  context: TestContext,
  directory: string,
  { service, clock = systemClock, logger = silentLogger, name = "desk" }: TrustedNodeOptions = {},
): Promise<TrustedNode> {
  const trust = await ClusterTrust.open(directory, clock);
  if (trust === null) throw new Error("the directory holds no cluster");
  const credentials = new ClusterCredentials(trust);
  const refusals: Refusal[] = [];
  const hops = new HopServer(BUILD, logger);
  const server = new TransportServer({
    listen: LOOPBACK,
    credentials,
    build: BUILD,
    service: serviceWith({ hello: async () => ({ ...hello(name), nodeId: trust.id }), ...service }),
    hops,
    logger,
    trust: new Admission({ trust, ownName: name, nameOf: (id) => id, logger }),
    onRefused: (refusal) => refusals.push(refusal),
  });
  await server.start();
  context.after(() => server.stop());
  const { address } = server;
  return { trust, credentials, address, id: trust.id, refusals, hops, stop: () => server.stop() };
}

/** A token of the machine with this directory, whose node is at these addresses. */
export async function inviteTo(
  directory: string,
  peers: readonly HostPort[],
  options: Partial<InviteOptions> = {},
): Promise<JoinToken> {
  const store = new TrustStore(directory);
  const { certificate } = await requireSigner(await requireCluster(store));
  const book = new InviteBook(store);
  const invite = await book.create({ lifetimeMs: HOUR, uses: 1, admin: false, ...options }, Date.now());
  const { id: inviteId, secret, expiresAt } = invite;
  const text = formatJoinToken({ authority: keyFingerprint(certificate), inviteId, secret, expiresAt, peers });
  const token = parseJoinToken(text, 1);
  if (token === null) throw new Error("the token cannot be read");
  return token;
}

/** A machine that joins with a token of `admin`. */
export async function joiner(
  context: TestContext,
  admin: { readonly directory: string; readonly node: TrustedNode },
  options: Partial<InviteOptions> = {},
): Promise<string> {
  const directory = await configDirectory(context);
  const token = await inviteTo(admin.directory, [admin.node.address], options);
  await joinCluster(new TrustStore(directory), token, "attic", Date.now());
  return directory;
}

/** How `from` calls a node. */
export function callerOf(context: TestContext, from: TrustedNode, to: HostPort, nodeId = from.id): ControlClient {
  const { credentials } = from;
  const client = new ControlClient({ peer: to, credentials, caller: { ...BUILD, nodeId } });
  context.after(() => client.close());
  return client;
}

/** What a node says when it introduces itself. */
export function helloOf({ id }: Pick<TrustedNode, "id">, name = "attic") {
  return { ...hello(name), nodeId: id };
}

/** The system's time, so many milliseconds on. */
export function ahead(milliseconds: number): Clock {
  return { monotonic: systemClock.monotonic, wall: () => systemClock.wall() + milliseconds };
}
