import type { Link } from "../network/link-queue.js";

/** Nodes on this machine, and what lies between them. */
export interface Arrangement {
  readonly title: string;
  /** Threads of each node; the first is the one that is asked. */
  readonly threads: readonly number[];
  /** Before every node, so on every hop; absent: loopback. */
  readonly link?: Link;
  /** The planner's choice is compared with other placements. */
  readonly compared: boolean;
}

const FAR: Link = { oneWayMs: 10 };

export const ARRANGEMENTS: readonly Arrangement[] = [
  { title: "one node", threads: [1], compared: false },
  { title: "two nodes", threads: [1, 1], compared: false },
  { title: "two nodes, two threads and one", threads: [2, 1], compared: true },
  { title: "two nodes, 10 ms one-way on both hops", threads: [1, 1], link: FAR, compared: false },
  { title: "three nodes, two threads and one each", threads: [2, 1, 1], compared: true },
];
