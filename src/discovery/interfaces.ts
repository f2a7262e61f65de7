import { createSocket } from "node:dgram";
import { readdirSync, readlinkSync } from "node:fs";
import { isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { basename, join } from "node:path";
import { type InterfaceFacts, interfaceKind, LINK_KINDS, type LinkKind, parseHardwarePorts } from "./interface-kind.js";
import { type RunCommand, runCommand } from "./run-command.js";

/** The interface that something is reached through. */
export interface LocalLink {
  readonly interface: string;
  readonly kind: LinkKind;
}

export interface LocalAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** Bits of the network's part. */
  readonly prefix: number;
}

export interface LocalInterface {
  readonly name: string;
  readonly kind: LinkKind;
  /** What stands after `%` in IPv6 addresses that hold on this link only: a name, on Windows a number. */
  readonly scope: string;
  readonly addresses: readonly LocalAddress[];
}

export interface InterfaceSources {
  readonly platform: NodeJS.Platform;
  readonly addresses: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  readonly run: RunCommand;
}

const REAL: InterfaceSources = { platform: process.platform, addresses: networkInterfaces, run: runCommand };

/** The network interfaces of this machine that are up and have an address. */
export class LocalInterfaces {
  readonly #sources: InterfaceSources;
  /** Kinds do not change while an interface is there. */
  readonly #kinds = new Map<string, LinkKind>();
  #ports: ReadonlyMap<string, string> = new Map();

  constructor(sources: InterfaceSources = REAL) {
    this.#sources = sources;
  }

  /** Asks the system what its ports are, where it tells that by a command. */
  async learnPorts(): Promise<void> {
    if (this.#sources.platform !== "darwin") return;
    const output = await this.#sources.run("networksetup", ["-listallhardwareports"]);
    this.#ports = parseHardwarePorts(output?.stdout ?? "");
    this.#kinds.clear();
  }

  list(): readonly LocalInterface[] {
    const found = Object.entries(this.#sources.addresses());
    for (const name of this.#kinds.keys()) if (!found.some(([there]) => there === name)) this.#kinds.delete(name);
    return found.map(([name, addresses]) => this.#toInterface(name, addresses ?? []));
  }

  /** What this machine reaches `host` through, as its routing table says; `null` when there is no way. */
  async linkTo(host: string): Promise<LocalLink | null> {
    const interfaces = this.list();
    const scope = host.split("%")[1];
    const own = scope === undefined ? await sourceAddress(host) : null;
    const found = interfaces.find((one) =>
      scope === undefined ? one.addresses.some(({ address }) => address === own) : one.scope === scope,
    );
    return found === undefined ? null : { interface: found.name, kind: found.kind };
  }

  #toInterface(name: string, addresses: readonly NetworkInterfaceInfo[]): LocalInterface {
    const scopeId = addresses.find(({ family, scopeid }) => family === "IPv6" && scopeid !== undefined)?.scopeid;
    return {
      name,
      kind: this.#kindOf(
        name,
        addresses.some(({ internal }) => internal),
      ),
      scope: this.#sources.platform === "win32" ? String(scopeId ?? 0) : name,
      addresses: addresses.map(({ address, family, cidr }) => ({
        address,
        family: family === "IPv6" ? 6 : 4,
        prefix: Number(cidr?.split("/")[1] ?? (family === "IPv6" ? 128 : 32)),
      })),
    };
  }

  #kindOf(name: string, internal: boolean): LinkKind {
    const known = this.#kinds.get(name);
    if (known !== undefined) return known;
    const port = this.#ports.get(name) ?? null;
    const kind = interfaceKind(name, internal, { ...this.#kernelFacts(name), port });
    this.#kinds.set(name, kind);
    return kind;
  }

  #kernelFacts(name: string): Omit<InterfaceFacts, "port"> {
    if (this.#sources.platform !== "linux") return { entries: new Set(), driver: null };
    const directory = join("/sys/class/net", name);
    const entries = new Set(orElse(() => readdirSync(directory), []));
    const driver = orElse(() => basename(readlinkSync(join(directory, "device", "driver"))), null);
    return { entries, driver };
  }
}

/** The order in which ways to a peer are tried before any is measured. An unknown one comes after wired and Wi-Fi. */
export function compareLinks(a: LocalLink | null, b: LocalLink | null): number {
  return rankOf(a) - rankOf(b);
}

function rankOf(link: LocalLink | null): number {
  return LINK_KINDS.indexOf(link?.kind ?? "virtual");
}

/** The own address that packets to `host` would bear. Connecting a UDP socket asks the routing table and sends nothing. */
function sourceAddress(host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    socket.once("error", () => socket.close(() => resolve(null)));
    socket.once("connect", () => {
      const { address } = socket.address();
      socket.close(() => resolve(address));
    });
    socket.connect(ANY_PORT, host);
  });
}

const ANY_PORT = 9;

function orElse<Value>(read: () => Value, other: Value): Value {
  try {
    return read();
  } catch {
    return other;
  }
}
