import { discoveryKinds } from "../../discovery/create-discovery.js";
import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";
import { type FoundInterface, findInterfaces } from "./found-interfaces.js";
import type { DoctorSystem, MulticastResult } from "./system.js";

interface Tried extends MulticastResult {
  readonly name: string;
  readonly family: "IPv4" | "IPv6";
}

/** Whether nodes of one network can find each other by mDNS. */
export const multicastCheck: Check = {
  subject: "multicast",
  run: async (context) => {
    const interfaces = (await findInterfaces(context.system)).filter(({ kind }) => kind !== "virtual");
    const tried = await Promise.all(interfaces.flatMap((one) => tryInterface(one, context.system)));
    return [judge(tried, await containerOf(context.system), context)];
  },
};

/** One address of each family is enough: multicast goes out by interface. */
function tryInterface(found: FoundInterface, system: DoctorSystem): readonly Promise<Tried>[] {
  return (["IPv4", "IPv6"] as const).flatMap((family) => {
    const first = found.addresses.find((address) => address.family === family);
    if (first === undefined) return [];
    const { name } = found;
    return [system.multicast(first.address, family, name).then((result) => ({ ...result, name, family }))];
  });
}

function judge(tried: readonly Tried[], container: string | null, { config }: DoctorContext): Finding {
  const works = tried.filter(({ heardItself }) => heardItself);
  const facts = tried.map(sentence).join(" ");
  if (tried.length === 0) return note("multicast", "There is no network to find other nodes in");
  if (works.length === 0) {
    const title = "Multicast does not work on this machine";
    const detail = `${facts} Nodes cannot find each other by mDNS.`;
    return discoveryKinds(config).includes("mdns")
      ? warning("multicast", title, detail, mend(tried))
      : note("multicast", title, detail, mend(tried));
  }
  const others = new Set(tried.flatMap((one) => one.others)).size;
  if (container !== null && others === 0) {
    return note(
      "multicast",
      `Multicast works inside of this container (${container})`,
      `${facts} A container's own network mostly ends at its host.`,
      "Give the container the host's network, or name the other nodes with --peer.",
    );
  }
  const deaf = [...new Set(tried.map(({ name }) => name))].filter((name) => works.every((one) => one.name !== name));
  if (deaf.length > 0) return note("multicast", `Multicast works, but not on ${deaf.join(", ")}`, facts, mend(tried));
  return ok(
    "multicast",
    others > 0
      ? `Multicast works; ${others} other ${others === 1 ? "machine" : "machines"} answered`
      : "Multicast works",
    `${facts}${others > 0 ? "" : " Nobody else answered, so whether the network carries it to others is not known."}`,
  );
}

function sentence({ name, family, heardItself, error }: Tried): string {
  if (heardItself) return `${name} sends and receives (${family}).`;
  return error === null ? `${name} does not receive what it sends (${family}).` : `${name}: ${error} (${family}).`;
}

function mend(tried: readonly Tried[]): string {
  const errors = new Set(tried.map(({ error }) => error));
  if (errors.has("EADDRINUSE")) {
    return "Another program keeps UDP port 5353 to itself: stop it, or name the other nodes with --peer.";
  }
  return "Let UDP port 5353 through the firewall, or name the other nodes with --peer.";
}

async function containerOf(system: DoctorSystem): Promise<string | null> {
  if (system.env.KUBERNETES_SERVICE_HOST !== undefined) return "Kubernetes";
  const [docker, podman] = await Promise.all([system.readText("/.dockerenv"), system.readText("/run/.containerenv")]);
  if (docker !== null) return "Docker";
  return podman === null ? null : "Podman";
}
