import type { Check } from "./check.js";
import { type Finding, note, ok, warning } from "./finding.js";
import { type FoundInterface, findInterfaces } from "./found-interfaces.js";

/** A token's activations are a few kilobytes, a prompt's are megabytes: below this a prompt waits for the wire. */
const SLOW_MEGABITS = 100;

/** By what ways this machine reaches others. */
export const interfacesCheck: Check = {
  subject: "the network interfaces",
  run: async ({ system }) => [judge(await findInterfaces(system))],
};

function judge(interfaces: readonly FoundInterface[]): Finding {
  const list = `${interfaces.map(describe).join("; ")}.`;
  const usable = interfaces.filter(({ kind }) => kind !== "virtual");
  if (usable.length === 0) {
    return note(
      "interfaces",
      "This machine has no network to other machines",
      interfaces.length === 0 ? "A node here can only form a ring with others of this machine." : list,
      "Connect it to the network of the others, by wire if possible.",
    );
  }
  if (usable.every(({ kind }) => kind === "wifi")) {
    return note(
      "interfaces",
      "Other machines are reached by Wi-Fi only",
      `${list} Each token makes a way round the ring, and Wi-Fi adds milliseconds to every hop.`,
      "Join the machines of a ring by cable: Ethernet, or Thunderbolt between Macs.",
    );
  }
  const slow = usable.filter(({ kind, megabits }) => kind === "wired" && (megabits ?? 1000) <= SLOW_MEGABITS);
  if (slow.length > 0) {
    return warning(
      "interfaces",
      `${slow.map(({ name }) => name).join(", ")} runs at ${SLOW_MEGABITS} Mbit/s or less`,
      `${list} Prompts cross the wire as megabytes of activations.`,
      "Use a cable of category 5e or better and a gigabit switch; or send fewer bytes with --wire f16.",
    );
  }
  return ok("interfaces", `Network: ${usable.map(({ name, kind }) => `${name} (${kind})`).join(", ")}`, list);
}

function describe({ name, kind, addresses, megabits }: FoundInterface): string {
  const speed = megabits === null ? "" : `, ${megabits} Mbit/s`;
  return `${name} is ${kind}${speed}, ${addresses.map(({ address }) => address).join(" ")}`;
}
