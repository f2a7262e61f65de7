import { setTimeout as delay } from "node:timers/promises";
import { type ClientOutcome, type LoadOutcome, runClients } from "./client-load.js";
import { type Held, LoadedNode } from "./loaded-node.js";

/**
 * `npm run test:load -- [clients] [queue]`: many HTTP clients against one node with a tiny model; prints a table, and fails
 * when one was wronged.
 */

const CLIENTS = Number(process.argv[2] ?? "1000");
const QUEUE = process.argv[3] ?? "64";
const GREEDY = 4;
const GREEDY_REQUESTS = 50;
const ANSWERS = 2;
const LOOK_MS = 250;
/** After the load, for connections to be closed and memory to be given back. */
const REST_MS = 5000;

async function main(): Promise<void> {
  const loaded = await LoadedNode.start(CLIENTS + GREEDY, [
    "--threads",
    "1",
    "--ctx",
    "128",
    "--slots",
    "8",
    "--queue",
    QUEUE,
  ]);
  try {
    const before = await loaded.held();
    const looks = watch(loaded);
    const outcome = await runClients({
      url: new URL(loaded.node.http),
      keys: loaded.keys.slice(0, CLIENTS),
      answers: ANSWERS,
      greedyKeys: loaded.keys.slice(CLIENTS, CLIENTS + GREEDY),
      greedyRequests: GREEDY_REQUESTS,
      maxTokens: 8,
    });
    const during = await looks.stop();
    await delay(REST_MS);
    const after = await loaded.held();
    console.log(table(outcome, before, during, after));
    if (!isRight(outcome, after)) process.exitCode = 1;
  } finally {
    await loaded.stop();
  }
}

/** Looks at the node now and then, from outside so as not to be one more client. */
function watch(loaded: LoadedNode): { stop(): Promise<readonly Held[]> } {
  const held: Held[] = [];
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      held.push(await loaded.held());
      await delay(LOOK_MS, undefined, { signal: over.signal }).catch(() => {});
    }
    return held;
  })();
  return {
    stop: () => {
      over.abort();
      return watching;
    },
  };
}

function isRight({ clients, greedy }: LoadOutcome, after: Held): boolean {
  const all = [...clients, ...greedy];
  const isHonest = all.every(({ faults, withoutRetryAfter }) => faults.length === 0 && withoutRetryAfter === 0);
  for (const fault of new Set(all.flatMap(({ faults }) => faults))) console.error(fault);
  return isHonest && clients.every(({ answered }) => answered === ANSWERS) && after.busySlots + after.waiting === 0;
}

function table({ clients, greedy, seconds }: LoadOutcome, before: Held, during: readonly Held[], after: Held): string {
  const waits = clients.flatMap((client) => client.waits).toSorted((a, b) => a - b);
  const perClient = clients.map((client) => Math.max(...client.waits)).toSorted((a, b) => a - b);
  const at = (list: readonly number[], part: number): string =>
    `${((list[Math.min(list.length - 1, Math.floor(list.length * part))] ?? Number.NaN) / 1000).toFixed(2)} s`;
  const most = (of: (held: Held) => number | null): number => Math.max(...during.map((held) => of(held) ?? 0));
  const rows: readonly (readonly [string, string])[] = [
    ["clients, each with a key, and answers for each", `${clients.length}, ${ANSWERS}`],
    [
      `clients with ${GREEDY_REQUESTS} requests under way each, and answers that they had meanwhile`,
      `${greedy.length}, ${answers(greedy)}`,
    ],
    ["time until each client had its answers", `${seconds.toFixed(1)} s`],
    ["answers per second, all clients", ((answers(clients) + answers(greedy)) / seconds).toFixed(0)],
    [
      "wait for the first piece, 429s included: median, 95 %, longest",
      [0.5, 0.95, 1].map((part) => at(waits, part)).join(", "),
    ],
    ["longest wait of a client: shortest, median, longest", [0, 0.5, 1].map((part) => at(perClient, part)).join(", ")],
    [
      "429s with and without Retry-After",
      `${sum([...clients, ...greedy], "refused")}, ${sum([...clients, ...greedy], "withoutRetryAfter")}`,
    ],
    ["streams that began and were ended by an error event", `${sum([...clients, ...greedy], "ended")}`],
    ["other failures", `${[...clients, ...greedy].flatMap(({ faults }) => faults).length}`],
    [
      "memory before, at most, after",
      [before.bytes, most(({ bytes }) => bytes), after.bytes].map(mebibytes).join(", "),
    ],
    ["open files before, at most, after", [before.files, most(({ files }) => files), after.files].join(", ")],
    ["busy slots and waiting requests after", `${after.busySlots}, ${after.waiting}`],
  ];
  return ["| what | |", "|---|---|", ...rows.map(([what, value]) => `| ${what} | ${value} |`)].join("\n");
}

function answers(clients: readonly ClientOutcome[]): number {
  return sum(clients, "answered");
}

function sum(clients: readonly ClientOutcome[], of: "answered" | "refused" | "withoutRetryAfter" | "ended"): number {
  return clients.reduce((total, client) => total + client[of], 0);
}

function mebibytes(bytes: number | null): string {
  return bytes === null ? "?" : `${Math.round(bytes / 2 ** 20)} MiB`;
}

await main();
