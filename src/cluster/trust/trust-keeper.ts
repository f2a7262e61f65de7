import type { HostPort } from "../../config/address.js";
import { ExoError } from "../../core/errors.js";
import { BackgroundWork, type Service } from "../../core/lifecycle.js";
import type { Logger } from "../../core/ports.js";
import { pause } from "../../core/waiting.js";
import { isCertifiedFor } from "../../transport/peer-certificate.js";
import type { IssuedCertificate, TrustState } from "../../transport/trust-service.js";
import type { ClusterTrust } from "./cluster-trust.js";
import { keepMembers } from "./known-members.js";

export interface TrustPeer {
  readonly id: string;
  readonly name: string;
  readonly address: HostPort;
}

/** What is asked of a member. */
export interface TrustAsk {
  exchange(own: TrustState): Promise<TrustState>;
  renew(certificateRequest: Buffer): Promise<IssuedCertificate>;
  close(): void;
}

export interface TrustKeeperOptions {
  readonly trust: ClusterTrust;
  /** Members that answer. */
  readonly members: () => readonly TrustPeer[];
  readonly connect: (peer: TrustPeer) => TrustAsk;
  /** Of this node. */
  readonly name: string;
  readonly logger: Logger;
  readonly lookMs?: number;
}

/** Milliseconds between two looks at the files and the members. */
const LOOK_MS = 500;
/** After a member could not be asked, and between tries to get a new certificate. */
const RETRY_MS = 10_000;

/**
 * Keeps the cluster's keys in step: tells every member of what is new here, asks an admin for a new certificate in time,
 * and takes what other processes of this machine change in the files.
 */
export class TrustKeeper implements Service {
  readonly name = "cluster trust";
  readonly #options: TrustKeeperOptions;
  readonly #work: BackgroundWork;
  /** By node: what it was last told, and when it may be asked again after a failure. */
  readonly #told = new Map<string, { readonly version: number; readonly retryAt: number }>();
  readonly #asking = new Set<TrustAsk>();
  #version = 0;
  #renewAt = 0;
  #unfollow: (() => void) | null = null;

  constructor(options: TrustKeeperOptions) {
    this.#options = options;
    this.#work = new BackgroundWork((signal) => this.#run(signal));
  }

  async start(): Promise<void> {
    this.#unfollow ??= this.#options.trust.onChange(() => {
      this.#version += 1;
      this.#renewAt = 0;
    });
    this.#work.start();
  }

  async stop(): Promise<void> {
    this.#unfollow?.();
    this.#unfollow = null;
    const stopped = this.#work.stop();
    for (const client of this.#asking) client.close();
    await stopped;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { trust, logger, lookMs = LOOK_MS } = this.#options;
    while (!signal.aborted) {
      try {
        await trust.reload();
        await Promise.all(this.#untold().map((peer) => this.#tell(peer)));
        await this.#renew();
        await keepMembers(trust, this.#options.name, this.#options.members());
      } catch (thrown) {
        logger.error(
          { cause: thrown },
          `The cluster's keys could not be looked after: ${ExoError.from(thrown).message}`,
        );
        await pause(RETRY_MS, signal);
      }
      await pause(lookMs, signal);
    }
  }

  /** Who is gone is told anew when it is back. */
  #untold(): readonly TrustPeer[] {
    const members = this.#options.members();
    const now = this.#options.trust.clock.monotonic();
    for (const id of this.#told.keys()) if (!members.some((member) => member.id === id)) this.#told.delete(id);
    return members.filter(({ id }) => {
      const told = this.#told.get(id);
      return told === undefined || (told.version !== this.#version && now >= told.retryAt);
    });
  }

  async #tell(peer: TrustPeer): Promise<void> {
    const { trust, logger } = this.#options;
    const version = this.#version;
    try {
      await trust.take(await this.#ask(peer, (client) => client.exchange(trust.state())));
      this.#told.set(peer.id, { version, retryAt: 0 });
    } catch (thrown) {
      const { message } = ExoError.from(thrown);
      logger.debug({ node: peer.name }, `could not compare keys: ${message}`);
      this.#told.set(peer.id, { version: -1, retryAt: trust.clock.monotonic() + RETRY_MS });
    }
  }

  async #renew(): Promise<void> {
    const { trust, logger } = this.#options;
    const now = trust.clock.monotonic();
    if (now < this.#renewAt || !(trust.needsRenewal() || (await trust.lacksAuthorityKey()))) return;
    this.#renewAt = now + RETRY_MS;
    const signer = await trust.signer();
    if (signer !== null) await trust.renewBy(signer);
    else if (!(await this.#askAdmins())) return;
    logger.info({ until: new Date(trust.own.notAfter).toISOString() }, "this node has a new certificate");
  }

  /** The first admin that gives one is enough. */
  async #askAdmins(): Promise<boolean> {
    const { trust, members, logger } = this.#options;
    const admins = new Set(trust.known().flatMap(({ id, role }) => (role === "admin" ? [id] : [])));
    const asked = members().filter(({ id }) => [...admins].some((admin) => isCertifiedFor(admin, id)));
    for (const peer of asked) {
      try {
        await trust.renew((request) => this.#ask(peer, (client) => client.renew(request)));
        return true;
      } catch (thrown) {
        logger.debug({ node: peer.name }, `gave no new certificate: ${ExoError.from(thrown).message}`);
      }
    }
    return false;
  }

  async #ask<Answer>(peer: TrustPeer, question: (client: TrustAsk) => Promise<Answer>): Promise<Answer> {
    const client = this.#options.connect(peer);
    this.#asking.add(client);
    try {
      return await question(client);
    } finally {
      this.#asking.delete(client);
      client.close();
    }
  }
}
