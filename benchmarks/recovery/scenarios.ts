/** A ring, which of its nodes is killed, and what is to become of it. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** All nodes; those that the ring does not use are idle. */
  readonly nodes: number;
  readonly inRing: number;
  readonly spares: number;
  readonly victim: "head" | "last";
}

export const SCENARIOS: readonly Scenario[] = [
  {
    id: "spare",
    title: "a worker is lost, a spare stands by: nothing is loaded",
    nodes: 3,
    inRing: 2,
    spares: 1,
    victim: "last",
  },
  {
    id: "idle",
    title: "a worker is lost, an idle node loads its range",
    nodes: 3,
    inRing: 2,
    spares: 0,
    victim: "last",
  },
  {
    id: "neighbour",
    title: "a worker is lost, a neighbour loads its range too",
    nodes: 3,
    inRing: 3,
    spares: 0,
    victim: "last",
  },
  {
    id: "head",
    title: "the head is lost, a worker becomes the head",
    nodes: 3,
    inRing: 3,
    spares: 0,
    victim: "head",
  },
];
