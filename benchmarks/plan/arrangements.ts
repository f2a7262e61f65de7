import type { Link } from "../network/link-queue.js";

/** Nodes on this machine, and what lies between them. */
export interface Arrangement {
  readonly title: string;
  /** Threads of each node; the first is the one that is asked. */
  readonly threads: readonly number[];
  /** Before every node but the first; absent: loopback. */
  readonly link?: Link;
}

const FAR: Link = { oneWayMs: 10 };

export const ARRANGEMENTS: readonly Arrangement[] = [
  { title: "one node", threads: [1] },
  { title: "two nodes", threads: [1, 1] },
  { title: "two nodes, two threads and one", threads: [2, 1] },
  { title: "two nodes, 10 ms one-way", threads: [1, 1], link: FAR },
  { title: "three nodes, two threads and one each", threads: [2, 1, 1] },
];
