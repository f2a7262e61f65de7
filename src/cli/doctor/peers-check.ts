import { formatHostPort, type HostPort } from "../../config/address.js";
import { ExoError } from "../../core/errors.js";
import { parsePeersFile } from "../../discovery/peers-file.js";
import type { Check } from "./check.js";
import { type Finding, ok, warning } from "./finding.js";
import type { DoctorSystem } from "./system.js";

/** Whether the nodes that the settings name can be reached from here. */
export const peersCheck: Check = {
  subject: "the nodes that the settings name",
  run: async ({ config, system }) => {
    const { peers, findings } = await fromFile(config.peersFile, system);
    const named = [...config.peer, ...(config.join?.peers ?? []), ...peers];
    const once = [...new Map(named.map((peer) => [formatHostPort(peer), peer])).values()];
    return [...findings, ...(await Promise.all(once.map((peer) => lookAt(peer, system))))];
  },
};

async function fromFile(path: string | null, system: DoctorSystem) {
  const nothing: { peers: readonly HostPort[]; findings: readonly Finding[] } = { peers: [], findings: [] };
  if (path === null) return nothing;
  const text = await system.readText(path);
  const unusable = (why: string): typeof nothing => ({
    peers: [],
    findings: [warning("peers", `${path} cannot be used`, why, "Correct the file, or name another with --peers-file.")],
  });
  if (text === null) return unusable("It cannot be read.");
  try {
    return { peers: parsePeersFile(text, path), findings: [] };
  } catch (thrown) {
    return unusable(ExoError.from(thrown).message);
  }
}

const REASONS: Readonly<Record<string, readonly [reason: string, mend: string]>> = {
  ENOTFOUND: ["Its name is not known (DNS).", "Give an address instead of the name, or correct it."],
  EAI_AGAIN: ["No name server answers (DNS).", "Give an address instead of the name."],
  ECONNREFUSED: [
    "The machine answers, but nobody listens there.",
    "Start the node there, on a network that is trusted with: npx exo-native serve --open",
  ],
  ETIMEDOUT: [
    "Nothing answers: the machine is off, the address is another one, or a firewall drops the packets.",
    "Look at the machine, and let the port through its firewall; npx exo-native doctor there says how.",
  ],
  EHOSTUNREACH: ["There is no way to it from here.", "Bring both machines into the same network, or use a VPN."],
  ENETUNREACH: ["There is no network to it.", "Connect this machine to the network of the other."],
};

async function lookAt(peer: HostPort, system: DoctorSystem): Promise<Finding> {
  const where = formatHostPort(peer);
  const failure = await system.connect(peer.host, peer.port);
  if (failure === null) return ok("peers", `${where} can be reached`);
  const [reason, mend] = REASONS[failure] ?? [`The system says ${failure}.`, "Look at the machine and the network."];
  return warning("peers", `${where} cannot be reached`, reason, mend);
}
