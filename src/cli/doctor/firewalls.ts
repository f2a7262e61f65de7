import type { DoctorSystem } from "./system.js";

/** A port through which others come in. */
export interface OpenPort {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

/** What a firewall does with packets to a port, as far as it lets itself be read. */
export type Verdict = "lets in" | "keeps out" | "unknown";

/** A firewall that is at work. */
export interface Firewall {
  readonly name: string;
  verdict(port: OpenPort): Verdict;
  /** Commands that let the ports in. @param network those who may come, e.g. `192.168.1.0/24`; `null`: anyone */
  mend(ports: readonly OpenPort[], network: string | null): string;
}

/** The firewalls at work on this machine, as far as they can be seen. */
export async function findFirewalls(system: DoctorSystem): Promise<readonly Firewall[]> {
  switch (system.platform) {
    case "linux":
      return linuxFirewalls(system);
    case "darwin":
      return macFirewall(system);
    case "win32":
      return windowsFirewall(system);
    default:
      return [];
  }
}

/** ufw and firewalld write the rules of the kernel themselves; those are of interest where neither does. */
async function linuxFirewalls(system: DoctorSystem): Promise<readonly Firewall[]> {
  const managed = [...(await ufw(system)), ...(await firewalld(system))];
  return managed.length > 0 || !system.isRoot ? managed : kernelRules(system);
}

async function ufw(system: DoctorSystem): Promise<readonly Firewall[]> {
  const settings = await system.readText("/etc/ufw/ufw.conf");
  if (settings === null || !/^ENABLED=yes/im.test(settings)) return [];
  // Only root may ask.
  const status = system.isRoot ? await system.run("ufw", ["status"]) : null;
  const rules = status?.code === 0 ? status.stdout : null;
  if (rules !== null && /^Status: inactive/m.test(rules)) return [];
  return [
    {
      name: "ufw",
      verdict: ({ protocol, port }) => {
        if (rules === null) return "unknown";
        return new RegExp(`^${port}(?:/${protocol})?\\s.*\\bALLOW\\b`, "m").test(rules) ? "lets in" : "keeps out";
      },
      mend: (ports, network) =>
        ports
          .map(({ protocol, port }) => `sudo ufw allow from ${network ?? "any"} to any port ${port} proto ${protocol}`)
          .join(" && "),
    },
  ];
}

async function firewalld(system: DoctorSystem): Promise<readonly Firewall[]> {
  const state = await system.run("firewall-cmd", ["--state"]);
  if (state?.stdout.trim() !== "running" && state?.stderr.trim() !== "running") return [];
  const [ports, services] = await Promise.all([
    system.run("firewall-cmd", ["--list-ports"]),
    system.run("firewall-cmd", ["--list-services"]),
  ]);
  const listed = ports?.code === 0 ? ports.stdout.trim().split(/\s+/) : null;
  const mdns = services?.stdout.split(/\s+/).includes("mdns") === true;
  return [
    {
      name: "firewalld",
      verdict: ({ protocol, port }) => {
        if (listed === null) return "unknown";
        const isListed = listed.some((range) => covers(range, protocol, port));
        return isListed || (mdns && port === 5353) ? "lets in" : "keeps out";
      },
      mend: (wanted) => {
        const flags = wanted.map(({ protocol, port }) => `--add-port=${port}/${protocol}`).join(" ");
        return `sudo firewall-cmd --permanent ${flags} && sudo firewall-cmd --reload`;
      },
    },
  ];
}

/** `52416/tcp` or `52000-53000/tcp`. */
function covers(range: string, protocol: string, port: number): boolean {
  const [, first = "", last = first, of] = /^(\d+)(?:-(\d+))?\/(\w+)$/.exec(range) ?? [];
  return of === protocol && first !== "" && Number(first) <= port && port <= Number(last || first);
}

async function kernelRules(system: DoctorSystem): Promise<readonly Firewall[]> {
  const nft = await system.run("nft", ["list", "ruleset"]);
  if (nft?.code === 0 && /hook input[^}]*policy drop/.test(nft.stdout))
    return [rulesOf("nftables", nft.stdout, /dport/)];
  const iptables = await system.run("iptables", ["-S", "INPUT"]);
  if (iptables?.code === 0 && /^-P INPUT (?:DROP|REJECT)/m.test(iptables.stdout)) {
    return [rulesOf("iptables", iptables.stdout, /--dport/)];
  }
  return [];
}

/** Rules may jump, match sets and marks: a rule that names the port and accepts is taken for one that lets it in. */
function rulesOf(name: "nftables" | "iptables", rules: string, portWord: RegExp): Firewall {
  const accepting = rules.split("\n").filter((line) => portWord.test(line) && /\baccept\b/i.test(line));
  const command = ({ protocol, port }: OpenPort, network: string | null): string =>
    name === "nftables"
      ? `sudo nft insert rule inet filter input ${network === null ? "" : `ip saddr ${network} `}${protocol} dport ${port} accept`
      : `sudo iptables -I INPUT -p ${protocol} --dport ${port} ${network === null ? "" : `-s ${network} `}-j ACCEPT`;
  return {
    name,
    verdict: ({ port }) => (accepting.some((line) => new RegExp(`\\b${port}\\b`).test(line)) ? "lets in" : "unknown"),
    mend: (ports, network) => ports.map((port) => command(port, network)).join(" && "),
  };
}

const MAC_TOOL = "/usr/libexec/ApplicationFirewall/socketfilterfw";

/** It lets programs in, not ports. */
async function macFirewall(system: DoctorSystem): Promise<readonly Firewall[]> {
  const state = await system.run(MAC_TOOL, ["--getglobalstate"]);
  if (state === null || !/State = [12]/.test(state.stdout)) return [];
  const block = await system.run(MAC_TOOL, ["--getblockall"]);
  const blocksAll = /block all.*enabled/i.test(block?.stdout ?? "");
  return [
    {
      name: "the firewall of macOS",
      verdict: () => (blocksAll ? "keeps out" : "unknown"),
      mend: () =>
        blocksAll
          ? `sudo ${MAC_TOOL} --setblockall off`
          : `sudo ${MAC_TOOL} --add "$(which node)" --unblockapp "$(which node)"; and under System Settings, Privacy & ` +
            "Security, Local Network, allow the program from which exo-native is started",
    },
  ];
}

async function windowsFirewall(system: DoctorSystem): Promise<readonly Firewall[]> {
  const state = await system.run("netsh", ["advfirewall", "show", "currentprofile", "state"]);
  // In the language of the system; where the word for "off" is not known it is taken for on.
  if (state?.code !== 0 || /\bOFF\b/.test(state.stdout)) return [];
  return [
    {
      name: "the firewall of Windows",
      verdict: () => "unknown",
      mend: (ports, network) =>
        ports
          .map(({ protocol, port }) => {
            const from = network === null ? "" : ` remoteip=${network}`;
            const what = `dir=in action=allow protocol=${protocol.toUpperCase()} localport=${port}${from}`;
            return `netsh advfirewall firewall add rule name="exo-native ${protocol} ${port}" ${what}`;
          })
          .join(" & "),
    },
  ];
}
