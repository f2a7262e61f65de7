import { isIP, isIPv4 } from "node:net";
import { BackgroundWork } from "../core/lifecycle.js";
import type { Clock, Logger } from "../core/ports.js";
import type { Announcement, Heard } from "./announcement.js";
import type { SourceReport } from "./discovery.js";
import type { LocalInterface } from "./interfaces.js";
import { MdnsLink } from "./mdns-link.js";
import type { OpenMulticast } from "./multicast-socket.js";
import type { OfferSink, PeerSource, Sleep } from "./peer-source.js";
import { isLinkLocal, Subnets } from "./subnets.js";

export interface MdnsSourceOptions {
  readonly own: () => Announcement;
  readonly interfaces: () => readonly LocalInterface[];
  /** `false`: neither says nor hears anything outside this machine. */
  readonly beyondLoopback: boolean;
  readonly open: OpenMulticast;
  readonly sink: OfferSink;
  readonly sleep: Sleep;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface OpenLink {
  /** As people know it, e.g. `eth0 (wired, IPv4)`. */
  readonly title: string;
  readonly link: MdnsLink;
}

/** A link as it should be open. */
interface WantedLink {
  readonly at: LocalInterface;
  readonly family: 4 | 6;
}

/** Milliseconds between looks at the interfaces. */
const FOLLOW_MS = 2_000;
/** A machine that runs containers has hundreds of interfaces; so many are looked after. */
const MOST_LINKS = 64;
const MOST_HEARD = 512;

/** Nodes on the networks of this machine, by multicast DNS on every interface, over IPv4 and IPv6. */
export class MdnsSource implements PeerSource {
  readonly name = "multicast DNS";
  readonly #options: MdnsSourceOptions;
  /** By interface, family and addresses: one that changes is another one. */
  readonly #links = new Map<string, OpenLink>();
  /** When each origin's announcement ends, by the monotonic clock. */
  readonly #heard = new Map<string, number>();
  readonly #searching = new BackgroundWork((signal) => this.#run(signal));

  constructor(options: MdnsSourceOptions) {
    this.#options = options;
  }

  report(): SourceReport {
    const links = [...this.#links.values()];
    const working = links.filter(({ link }) => link.fault === null);
    const faults = links.filter(({ link }) => link.fault !== null).map(({ title, link }) => `${title}: ${link.fault}`);
    if (links.length === 0) return { kind: "mdns", state: "unavailable", detail: "No network interface is up." };
    const where = working.length === 0 ? [] : [`On ${working.map(({ title }) => title).join(", ")}.`];
    const detail = [...where, ...(faults.length === 0 ? [] : [`Not on ${faults.join("; ")}.`])].join(" ");
    return { kind: "mdns", state: working.length === 0 ? "unavailable" : "running", detail };
  }

  async start(): Promise<void> {
    this.#searching.start();
  }

  async stop(): Promise<void> {
    await this.#searching.stop();
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map(({ link }) => link.close()));
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#follow();
      this.#expire();
      await this.#options.sleep(FOLLOW_MS, signal).catch(() => {});
    }
  }

  /** Opens a link for each interface that came, closes those of interfaces that went. */
  async #follow(): Promise<void> {
    const wanted = new Map(this.#wanted().map((one) => [keyOf(one), one]));
    const gone = [...this.#links].filter(([key]) => !wanted.has(key));
    for (const [key, { link, title }] of gone) {
      this.#links.delete(key);
      this.#forget((origin) => origin.startsWith(`mdns ${key} `));
      this.#options.logger.debug({ link: title }, "an interface went away");
      await link.close();
    }
    for (const [key, one] of wanted) {
      if (!this.#links.has(key)) this.#links.set(key, this.#open(key, one));
    }
  }

  #wanted(): readonly WantedLink[] {
    const { beyondLoopback, interfaces } = this.#options;
    const usable = interfaces().filter(({ kind }) =>
      kind === "loopback" ? !beyondLoopback : beyondLoopback && kind !== "tunnel",
    );
    const v4 = usable.flatMap((at): WantedLink[] => (hasIPv4(at) ? [{ at, family: 4 }] : []));
    // Ends of cables to containers have an IPv6 address of their own each; nobody is reached through these.
    const v6 = usable.filter((at) => at.kind !== "loopback" && (at.kind !== "virtual" || hasIPv4(at)));
    const links = [...v4, ...v6.flatMap((at): WantedLink[] => (hasIPv6(at) ? [{ at, family: 6 }] : []))];
    return links.slice(0, MOST_LINKS);
  }

  #open(key: string, { at, family }: WantedLink): OpenLink {
    const subnets = new Subnets(at);
    const addresses = at.addresses.filter((one) => one.family === family).map(({ address }) => address);
    const via = family === 4 ? (addresses[0] ?? "") : `::%${at.scope}`;
    const title = `${at.name} (${at.kind}, IPv${family})`;
    const { own, open, sleep, clock } = this.#options;
    this.#options.logger.debug({ link: title }, "multicast DNS on an interface");
    const link = new MdnsLink({
      link: { family, via },
      addresses,
      isHere: (from) => subnets.has(from),
      own,
      open,
      onHeard: (heard, from) => this.#take(key, subnets, heard, from),
      sleep,
      clock,
    });
    return { title, link };
  }

  #take(
    key: string,
    subnets: Subnets,
    { instanceName, announcement, addresses, ttlSeconds }: Heard,
    from: string,
  ): void {
    const origin = `mdns ${key} ${instanceName}`;
    if (announcement === null) {
      this.#forget((heard) => heard === origin);
      return;
    }
    const own = this.#options.own();
    if (announcement.nodeId === own.nodeId && announcement.instance === own.instance) return;
    if (this.#heard.size >= MOST_HEARD && !this.#heard.has(origin)) return;
    this.#heard.set(origin, this.#options.clock.monotonic() + ttlSeconds * 1000);
    const { nodeId, name, port } = announcement;
    const hosts = hostsOf(subnets, addresses, from);
    this.#options.sink.offer({
      source: "mdns",
      origin,
      addresses: hosts.map((host) => ({ host, port })),
      identity: { nodeId, name },
      spoke: true,
    });
  }

  #expire(): void {
    const now = this.#options.clock.monotonic();
    this.#forget((origin) => (this.#heard.get(origin) ?? now) < now);
  }

  #forget(which: (origin: string) => boolean): void {
    for (const origin of [...this.#heard.keys()].filter(which)) {
      this.#heard.delete(origin);
      this.#options.sink.offer({ source: "mdns", origin, addresses: [], identity: null, spoke: false });
    }
  }
}

/**
 * Where a peer on a link is asked: at the addresses that it names, as far as they are of this link, and at the one that
 * its packet came from. An IPv6 address of the link alone is one to fall back to, so it comes last.
 */
function hostsOf(subnets: Subnets, named: readonly string[], from: string): readonly string[] {
  const hosts = [...named, from].filter((host) => isIP(host) !== 0).map((host) => subnets.scoped(host));
  const here = [...new Set(hosts)].filter((host) => subnets.has(host));
  return here.sort((a, b) => Number(isLinkLocal(a)) - Number(isLinkLocal(b))).slice(0, 8);
}

function keyOf({ at, family }: WantedLink): string {
  const addresses = at.addresses.filter((one) => one.family === family).map(({ address }) => address);
  return `${at.name}/${family}/${[...addresses].sort().join(",")}`;
}

function hasIPv4({ addresses }: LocalInterface): boolean {
  return addresses.some(({ address }) => isIPv4(address));
}

function hasIPv6({ addresses }: LocalInterface): boolean {
  return addresses.some(({ family }) => family === 6);
}
