import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

async function ip(...args: readonly string[]): Promise<void> {
  await run("ip", args);
}

/** Why hosts of their own cannot be made on this machine, or `false`. */
export function whyNoNamespaces(): string | false {
  if (process.platform !== "linux") return "network namespaces are a part of Linux";
  const name = `exo-try-${process.pid}`;
  const { error, status, stderr } = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
  if (error !== undefined || status !== 0) {
    return `network namespaces cannot be made here (root and iproute2 are needed): ${error?.message ?? stderr.trim()}`;
  }
  const makes = (...link: readonly string[]) => spawnSync("ip", ["-n", name, "link", "add", ...link]).status === 0;
  const complete = makes("v0", "type", "veth", "peer", "name", "v1") && makes("br0", "type", "bridge");
  spawnSync("ip", ["netns", "del", name]);
  return complete ? false : "the kernel makes no cables or no switches here (veth, bridge)";
}

/** A machine with a network of its own on the test's machine. */
export class NamespaceHost {
  readonly namespace: string;
  readonly #lan: NamespaceLan;
  readonly #port: string;

  constructor(namespace: string, lan: NamespaceLan, port: string) {
    this.namespace = namespace;
    this.#lan = lan;
    this.#port = port;
  }

  /** Words that make a command run on this host. */
  get before(): readonly string[] {
    return ["ip", "netns", "exec", this.namespace];
  }

  /** Gives `eth0` an address, e.g. `10.77.0.1/24`. */
  async address(cidr: string): Promise<void> {
    const optimistic = cidr.includes(":") ? ["nodad"] : [];
    await ip("-n", this.namespace, "addr", "add", cidr, "dev", "eth0", ...optimistic);
  }

  async removeAddress(cidr: string): Promise<void> {
    await ip("-n", this.namespace, "addr", "del", cidr, "dev", "eth0");
  }

  /** Pulls the cable, or puts it back. */
  async cable(state: "up" | "down"): Promise<void> {
    await ip("-n", this.#lan.namespace, "link", "set", this.#port, state);
  }

  /** What a GET from this host answers. */
  async get(url: string): Promise<string> {
    const script = "fetch(process.argv[1]).then((r) => r.text()).then((t) => process.stdout.write(t))";
    return this.#node(script, url);
  }

  async post(url: string, body: unknown): Promise<string> {
    const script =
      "fetch(process.argv[1], {method: 'POST', headers: {'content-type': 'application/json'}, body: process.argv[2]})" +
      ".then((r) => r.text()).then((t) => process.stdout.write(t))";
    return this.#node(script, url, JSON.stringify(body));
  }

  async #node(...args: readonly string[]): Promise<string> {
    const [command = "", ...rest] = this.before;
    const { stdout } = await run(command, [...rest, process.execPath, "-e", ...args], { maxBuffer: 2 ** 24 });
    return stdout;
  }
}

/** Hosts with a cable each to one switch. */
export class NamespaceLan {
  readonly namespace: string;
  readonly #names: string[] = [];

  private constructor(namespace: string) {
    this.namespace = namespace;
    this.#names.push(namespace);
  }

  static async create(name: string): Promise<NamespaceLan> {
    const lan = new NamespaceLan(`exo-${name}-${process.pid}-sw`);
    await ip("netns", "add", lan.namespace);
    // Without a filter for multicast: a switch that nobody asks floods it.
    await ip("-n", lan.namespace, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0");
    await ip("-n", lan.namespace, "link", "set", "br0", "up");
    return lan;
  }

  /** @param ipv6 whether its interface has IPv6 at all */
  async host(name: string, { ipv6 = true } = {}): Promise<NamespaceHost> {
    const namespace = this.namespace.replace(/sw$/, name);
    const port = `p-${name}`;
    await ip("netns", "add", namespace);
    this.#names.push(namespace);
    await ip("-n", this.namespace, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    await ip("-n", this.namespace, "link", "set", port, "master", "br0", "up");
    await ip("-n", namespace, "link", "set", "lo", "up");
    if (!ipv6) {
      await ip("netns", "exec", namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
    }
    await ip("-n", namespace, "link", "set", "eth0", "up");
    return new NamespaceHost(namespace, this, port);
  }

  async remove(): Promise<void> {
    for (const name of this.#names.reverse()) await ip("netns", "del", name).catch(() => {});
  }
}
