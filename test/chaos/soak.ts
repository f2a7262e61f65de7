import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ChaosNode } from "./chaos-node.js";
import { faultNames, makeHappen } from "./faults.js";
import { prepare } from "./ground.js";
import { runInMiddle } from "./inside-network.js";
import { LeakWatch } from "./leaks.js";
import { type ChaosOptions, readOptions, seedOf } from "./options.js";
import { Random } from "./random.js";
import { type Ground, probeOf, referenceFor } from "./round.js";
import { CLIENTS } from "./soak-load.js";

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const MINUTE = 60_000;
/** Milliseconds. */
const LEAST_CALM = 10_000;
const MOST_CALM = 30_000;
const WHOLE_LIMIT = 90_000;
/** Garbage is collected, and connections of clients that are gone are closed, within this. */
const SETTLE = 15_000;
/** The connections of a node that was taken down may fail until it answers, and for so long after. */
const EXCUSED = 5_000;
const UP_LIMIT = 90_000;
const LOOK = 500;
const CLIENTS_OF_EACH_KIND = 2;

/** Mixed load for some minutes while nodes come and go. */
class Soak {
  readonly #ground: Ground;
  readonly #random: Random;
  readonly #until: number;
  readonly #tally = new Map<string, number>();
  readonly #victims = new Map<string, number>();
  readonly violations: string[] = [];
  faults = 0;

  constructor(ground: Ground, { seed, minutes }: ChaosOptions) {
    this.#ground = ground;
    this.#random = new Random(seedOf(seed, 0));
    this.#until = performance.now() + minutes * MINUTE;
  }

  get over(): boolean {
    return performance.now() >= this.#until;
  }

  /** Ends when the time is up and the last request is answered. */
  async run(): Promise<void> {
    const kinds = Object.keys(CLIENTS).flatMap((kind) => Array.from({ length: CLIENTS_OF_EACH_KIND }, () => kind));
    await Promise.all([this.#churn(), ...kinds.map((kind, index) => this.#ask(kind, new Random(index + 1)))]);
  }

  counts(): string {
    return [...this.#tally]
      .sort()
      .map(([what, count]) => `${count} ${what}`)
      .join(", ");
  }

  async #ask(kind: string, random: Random): Promise<void> {
    const client = CLIENTS[kind];
    while (client !== undefined && !this.over) {
      const node = random.pick(this.#ground.cluster.nodes);
      const question = random.pick(this.#ground.questions);
      const isVictim = (): boolean => performance.now() < (this.#victims.get(node.name) ?? 0);
      const { result, violation } = await client({ ground: this.#ground, node, random, question, isVictim });
      const key = `${kind}: ${result}`;
      this.#tally.set(key, (this.#tally.get(key) ?? 0) + 1);
      if (violation !== null) this.#tell(violation);
      // Also between two refusals, which come at once.
      await delay(random.between(50, 500));
    }
  }

  async #churn(): Promise<void> {
    const { cluster, wire, only } = this.#ground;
    while (!this.over) {
      await delay(this.#random.between(LEAST_CALM, MOST_CALM));
      if (this.over) return;
      const fault = this.#random.pick(only ?? faultNames(wire !== null));
      for (const { name } of cluster.nodes) this.#victims.set(name, Number.POSITIVE_INFINITY);
      const { what, victims, lift } = await makeHappen(fault, { nodes: cluster.nodes, wire, random: this.#random });
      for (const { name } of cluster.nodes) if (!victims.includes(name)) this.#victims.delete(name);
      this.faults += 1;
      say(`  ${fault} (${what})`);
      await lift();
      for (const node of cluster.nodes.filter(({ name }) => victims.includes(name))) {
        await untilUp(node);
        this.#victims.set(node.name, performance.now() + EXCUSED);
      }
    }
  }

  #tell(violation: string): void {
    this.violations.push(violation);
    say(`    VIOLATION: ${violation}`);
  }
}

async function untilUp({ url }: ChaosNode): Promise<void> {
  const deadline = performance.now() + UP_LIMIT;
  while (performance.now() < deadline) {
    const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(LOOK) }).catch(() => null);
    if (answer?.ok === true) return;
    await delay(LOOK);
  }
}

async function watchMemory(soak: Soak, ground: Ground, leaks: LeakWatch): Promise<void> {
  for (let minute = 1; !soak.over; minute++) {
    for (let second = 0; second < 60 && !soak.over; second++) await delay(1000);
    soak.violations.push(...leaks.look(await ground.cluster.usage()));
    say(`minute ${minute}: ${leaks.summary().join("; ")}`);
  }
}

async function runSoak(options: ChaosOptions): Promise<number> {
  const { ground, close } = await prepare(options);
  const soak = new Soak(ground, options);
  const leaks = new LeakWatch(1);
  try {
    leaks.look(await ground.cluster.usage());
    await Promise.all([soak.run(), watchMemory(soak, ground, leaks)]);
    const probe = probeOf(ground);
    await ground.cluster.whole(probe, referenceFor(ground, probe), WHOLE_LIMIT);
    await delay(SETTLE);
    soak.violations.push(...leaks.look(await ground.cluster.usage()));
  } catch (thrown) {
    soak.violations.push(`not whole in the end: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  } finally {
    for (const line of leaks.summary()) say(line);
    await close();
  }
  say(soak.counts());
  for (const violation of soak.violations) say(`VIOLATION: ${violation}`);
  say(`${options.minutes} minutes, ${soak.faults} faults, ${soak.violations.length} violations`);
  return soak.violations.length === 0 ? 0 : 1;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  const outside = options.middle === null && !options.loopback;
  const code = outside ? await runInMiddle(fileURLToPath(import.meta.url), args) : null;
  return code ?? runSoak(options);
}

process.exitCode = await main(process.argv.slice(2));
