import type { Check } from "./check.js";
import type { DoctorContext } from "./context.js";
import { type Finding, note, ok, warning } from "./finding.js";
import { modelServers } from "./servers.js";
import type { DoctorSystem } from "./system.js";

/** Certificates and invitations are valid from a time and until one. Seconds. */
const TOLERATED = 30;

const SET_CLOCK =
  "Let the system set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS), w32tm /resync (Windows).";
const SET_BOTH = SET_CLOCK.replace("the clock:", "the clock, there and here:");

interface Skew {
  readonly whose: string;
  /** Seconds that this machine's clock is ahead. */
  readonly seconds: number;
}

/** Whether this machine's clock agrees with those of others, and whether something keeps it right. */
export const clockCheck: Check = {
  subject: "the clock",
  run: async (context) => [
    judge(await skews(context), refusedForTheirs(context)),
    ...(await synchronized(context.system)),
  ],
};

/** Why nodes are not used whose clock is far from this one's: their HTTP API is not known here. */
function refusedForTheirs({ node }: DoctorContext): readonly string[] {
  const reasons = (node?.cluster.nodes ?? []).flatMap(({ state, reason }) =>
    state === "refused" ? (reason ?? []) : [],
  );
  return [...new Set(reasons.filter((reason) => reason.startsWith("The clock of ")))];
}

/** Against the servers of models, and against nodes whose HTTP API can be reached from here. */
async function skews({ system, node }: DoctorContext): Promise<readonly Skew[]> {
  const servers = (await modelServers(system)).map(({ url }) => ({ whose: new URL(url).host, url }));
  const peers = (node?.cluster.nodes ?? [])
    .filter(({ id, http_address }) => id !== node?.cluster.node.id && isElsewhere(http_address))
    .map(({ name, http_address }) => ({ whose: name, url: new URL("/healthz", http_address ?? "").href }));
  const asked = [...servers, ...peers].map(async ({ whose, url }): Promise<Skew | null> => {
    const reply = await system.ask(url);
    if (typeof reply === "string" || reply.serverTime === null) return null;
    return { whose, seconds: (reply.ownTime - reply.serverTime) / 1000 };
  });
  return (await Promise.all(asked)).filter((skew) => skew !== null);
}

function isElsewhere(address: string | null | undefined): boolean {
  const url = address ? URL.parse(address) : null;
  return url !== null && !/^(?:localhost|127\.|\[::1\]|0\.0\.0\.0|\[::\])/.test(url.hostname);
}

function judge(skews: readonly Skew[], refused: readonly string[]): Finding {
  const [first, ...rest] = skews;
  if (first === undefined && refused.length > 0) {
    return warning("clock", "The clock is far from that of other nodes", refused.join(" "), SET_BOTH);
  }
  if (first === undefined) return note("clock", "The clock could be compared with no other");
  const worst = rest.reduce((most, skew) => (Math.abs(skew.seconds) > Math.abs(most.seconds) ? skew : most), first);
  const list = `${skews.map(({ whose, seconds }) => `${whose} ${signed(seconds)}`).join(", ")}.`;
  if (Math.abs(worst.seconds) <= TOLERATED && refused.length > 0) {
    const title = "The clock agrees with servers, but not with that of other nodes: theirs is wrong";
    return warning("clock", title, `${list} ${refused.join(" ")}`, SET_BOTH);
  }
  if (Math.abs(worst.seconds) <= TOLERATED) return ok("clock", "The clock agrees with others", list);
  const way = worst.seconds > 0 ? "ahead of" : "behind";
  return warning(
    "clock",
    `The clock is ${Math.round(Math.abs(worst.seconds))} s ${way} that of ${worst.whose}`,
    `This machine's time less theirs: ${list} Certificates may count as expired or as not valid yet.`,
    SET_CLOCK,
  );
}

function signed(seconds: number): string {
  return `${seconds > 0 ? "+" : ""}${seconds.toFixed(1)} s`;
}

/** Only where systemd tells; elsewhere the comparison has to do. */
async function synchronized(system: DoctorSystem): Promise<readonly Finding[]> {
  if (system.platform !== "linux") return [];
  const result = await system.run("timedatectl", ["show", "--property=NTPSynchronized", "--value"]);
  const answer = result?.code === 0 ? result.stdout.trim() : "";
  if (answer === "yes") return [ok("clock.sync", "The clock is kept right over the network")];
  if (answer !== "no") return [];
  return [note("clock.sync", "Nothing keeps the clock right over the network", "", "sudo timedatectl set-ntp true")];
}
