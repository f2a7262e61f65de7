import { setTimeout as delay } from "node:timers/promises";
import type { ChaosNode } from "./chaos-node.js";
import type { Random } from "./random.js";
import type { Wire } from "./wire.js";

/** What a fault may do its harm to. */
export interface FaultTargets {
  readonly nodes: readonly ChaosNode[];
  /** `null`: the ways between the nodes cannot be disturbed here. */
  readonly wire: Wire | null;
  readonly random: Random;
}

/** A fault that happens; `lift` makes all well again as far as the world outside the nodes can. */
export interface Happening {
  /** For people: what, to whom. */
  readonly what: string;
  /** Nodes whose own clients may see their connections end. */
  readonly victims: readonly string[];
  readonly lift: () => Promise<void>;
}

type Fault = (targets: FaultTargets) => Promise<Happening>;

/** To the processes. */
const PROCESS_FAULTS = {
  /** The node process dies; its supervisor is there. */
  "kill-node": async ({ nodes, random }) => {
    const node = random.pick(nodes);
    await node.signalNode("SIGKILL");
    return { what: node.name, victims: [node.name], lift: async () => {} };
  },
  /** It crashes. The second time in a row its owner starts everything anew, or its model would be refused at the third. */
  crash: async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const crashes = node.log.split("The node crashed: it was ended by SIGSEGV").length;
    await node.signalNode("SIGSEGV");
    const lift = async (): Promise<void> => {
      if (crashes % 2 === 1) return;
      await node.stop();
      node.start();
    };
    return { what: node.name, victims: [node.name], lift };
  },
  /** Its machine loses its power, and comes back. */
  "power-cut": async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const wait = random.between(500, 4000);
    await node.kill();
    const lift = async (): Promise<void> => {
      await delay(wait);
      node.start();
    };
    return { what: `${node.name}, back after ${wait} ms`, victims: [node.name], lift };
  },
  /** A laptop that is closed, and opened again. */
  sleep: async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const time = random.between(2000, 6000);
    await node.signalNode("SIGSTOP");
    const lift = async (): Promise<void> => {
      await delay(time);
      await node.signalNode("SIGCONT");
    };
    return { what: `${node.name} for ${time} ms`, victims: [node.name], lift };
  },
  /** Too short to be taken for dead. */
  hiccup: async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const time = random.between(50, 400);
    await node.signalNode("SIGSTOP");
    await delay(time);
    await node.signalNode("SIGCONT");
    return { what: `${node.name} for ${time} ms`, victims: [], lift: async () => {} };
  },
  /** Somebody stops it and starts it again. */
  leave: async ({ nodes, random }) => {
    const node = random.pick(nodes);
    await node.stop();
    return { what: node.name, victims: [node.name], lift: async () => node.start() };
  },
  /** Its layers are moved away before it goes. */
  drain: async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const other = random.pick(nodes.filter((one) => one !== node));
    const response = await fetch(`${other.url}/cluster/drain`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ node: node.name }),
      signal: AbortSignal.timeout(30_000),
    }).catch(() => null);
    const lift = async (): Promise<void> => {
      await node.stop();
      node.start();
    };
    return {
      what: `${node.name}, asked of ${other.name} (${response?.status ?? "no answer"})`,
      victims: [node.name],
      lift,
    };
  },
  /** The calendar clock is set. */
  "clock-jump": async ({ nodes, random }) => {
    const node = random.pick(nodes);
    const seconds = random.pick([-7200, -400, -5, 5, 90, 400, 7200]);
    await node.shiftClock(seconds);
    return { what: `${node.name} by ${seconds} s`, victims: [], lift: () => node.shiftClock(0) };
  },
} satisfies Record<string, Fault>;

interface Between {
  readonly wire: Wire;
  readonly from: ChaosNode;
  readonly to: ChaosNode;
  readonly random: Random;
}

function between(what: string, harm: (between: Between) => string): Fault {
  return async ({ nodes, wire, random }) => {
    if (wire === null) throw new Error(`${what} needs network namespaces`);
    const from = random.pick(nodes);
    const to = random.pick(nodes.filter((node) => node !== from));
    const more = harm({ wire, from, to, random });
    const time = random.between(500, 4000);
    const lift = async (): Promise<void> => {
      await delay(time);
      wire.mend();
    };
    return { what: `${from.name} to ${to.name}${more} for ${time} ms`, victims: [], lift };
  };
}

/** To the ways between them. */
const WIRE_FAULTS = {
  /** One node reaches none, and none reaches it; nobody is told. Its clients still reach it. */
  partition: async ({ nodes, wire, random }) => {
    if (wire === null) throw new Error("partition needs network namespaces");
    const node = random.pick(nodes);
    for (const other of nodes) {
      wire.set(node.name, other.name, { silent: true });
      wire.set(other.name, node.name, { silent: true });
    }
    const time = random.between(1000, 6000);
    const lift = async (): Promise<void> => {
      await delay(time);
      wire.mend();
    };
    return { what: `${node.name} for ${time} ms`, victims: [], lift };
  },
  /** Two nodes do not reach each other, while others reach both. */
  split: between("split", ({ wire, from, to }) => {
    wire.set(from.name, to.name, { silent: true });
    wire.set(to.name, from.name, { silent: true });
    return "";
  }),
  "one-way": between("one-way", ({ wire, from, to }) => {
    wire.set(from.name, to.name, { silent: true });
    return "";
  }),
  slow: between("slow", ({ wire, from, to, random }) => {
    const delayMs = random.between(20, 250);
    wire.set(from.name, to.name, { delayMs });
    wire.set(to.name, from.name, { delayMs });
    return `, ${delayMs} ms`;
  }),
  cut: between("cut", ({ wire, from, to }) => {
    wire.cut(from.name, to.name);
    wire.cut(to.name, from.name);
    return "";
  }),
  corrupt: between("corrupt", ({ wire, from, to }) => {
    wire.accident(from.name, to.name, "corrupt");
    return "";
  }),
  truncate: between("truncate", ({ wire, from, to }) => {
    wire.accident(from.name, to.name, "truncate");
    return "";
  }),
  reorder: between("reorder", ({ wire, from, to }) => {
    wire.accident(from.name, to.name, "reorder");
    return "";
  }),
} satisfies Record<string, Fault>;

/** Nothing at all: shows what the load alone does. Only where it is asked for. */
const calm: Fault = async () => ({ what: "nothing happens", victims: [], lift: async () => {} });

const FAULTS: Readonly<Record<string, Fault>> = { ...PROCESS_FAULTS, ...WIRE_FAULTS, calm };

/** Names of all faults that can be made to happen. */
export function faultNames(withWire: boolean): readonly string[] {
  return Object.keys(withWire ? { ...PROCESS_FAULTS, ...WIRE_FAULTS } : PROCESS_FAULTS);
}

export function makeHappen(name: string, targets: FaultTargets): Promise<Happening> {
  const fault = FAULTS[name];
  if (fault === undefined) throw new Error(`There is no fault ${name}; there are ${Object.keys(FAULTS).join(", ")}.`);
  return fault(targets);
}
