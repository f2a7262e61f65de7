import type { Job } from "./slot.js";

type Owned = Pick<Job, "client">;

/** Whose turn it is when jobs of several clients wait for slots: his who has fewest, among equals his who waits longest. */
export class ClientTurns {
  /** Client → when he was given a slot last, by a count of all that were given. */
  readonly #served = new Map<string, number>();
  #count = 0;

  /** Notes that a job has been given a slot. */
  served(job: Owned): void {
    this.#count += 1;
    this.#served.set(clientOf(job), this.#count);
  }

  /**
   * The waiting jobs in the order in which they should be given slots, each client's own in the order in which they are
   * here. Clients of which nothing waits or runs are forgotten.
   */
  *order<One extends { readonly job: Owned }>(
    waiting: readonly One[],
    running: readonly Owned[],
  ): Generator<One, void> {
    const queues = byClient(waiting);
    const busy = new Map<string, number>();
    for (const job of running) busy.set(clientOf(job), (busy.get(clientOf(job)) ?? 0) + 1);
    for (const client of this.#served.keys()) if (!queues.has(client) && !busy.has(client)) this.#served.delete(client);
    const turns = new Map(this.#served);
    for (let turn = this.#count + 1; queues.size > 0; turn += 1) {
      const client = first(queues.keys(), busy, turns);
      const next = queues.get(client)?.shift();
      if (next === undefined) queues.delete(client);
      else yield next;
      busy.set(client, (busy.get(client) ?? 0) + 1);
      turns.set(client, turn);
    }
  }
}

/** Of the client that has most waiting jobs, how many that are, and the last of them; `null`: nothing waits. */
export function greediest<Waiting extends Owned>(
  waiting: readonly Waiting[],
): { readonly job: Waiting | null; readonly count: number } {
  const queues = byClient(waiting.map((job) => ({ job })));
  let most: readonly { readonly job: Waiting }[] = [];
  for (const queue of queues.values()) if (queue.length > most.length) most = queue;
  return { job: most.at(-1)?.job ?? null, count: most.length };
}

export function clientOf({ client = "" }: Owned): string {
  return client;
}

function byClient<One extends { readonly job: Owned }>(waiting: readonly One[]): Map<string, One[]> {
  const queues = new Map<string, One[]>();
  for (const one of waiting) {
    const queue = queues.get(clientOf(one.job));
    if (queue === undefined) queues.set(clientOf(one.job), [one]);
    else queue.push(one);
  }
  return queues;
}

/** Who has fewest slots; among equals who was served longest ago, and who came first where none was. */
function first(
  clients: Iterable<string>,
  busy: ReadonlyMap<string, number>,
  turns: ReadonlyMap<string, number>,
): string {
  let best = "";
  let least = Number.POSITIVE_INFINITY;
  let earliest = Number.POSITIVE_INFINITY;
  for (const client of clients) {
    const slots = busy.get(client) ?? 0;
    const turn = turns.get(client) ?? 0;
    if (slots > least || (slots === least && turn >= earliest)) continue;
    best = client;
    least = slots;
    earliest = turn;
  }
  return best;
}
