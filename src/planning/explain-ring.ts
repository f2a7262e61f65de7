import { formatByteSize } from "../config/byte-size.js";
import { nodeLabel, rate } from "./explain.js";
import type { PlacementTask } from "./placement-task.js";
import type { UnusedNode } from "./plan.js";
import { including, orderSolution } from "./ring/local-search.js";
import { knownLink } from "./ring/make-problem.js";
import type { Solution } from "./ring/ring-objective.js";
import type { RingProblem } from "./ring/ring-problem.js";
import { type Aim, objectiveOf, type SolvedRing } from "./ring/solve-ring.js";
import { usableMemory } from "./topology.js";

export interface ChosenRing {
  readonly task: PlacementTask;
  readonly aim: Aim;
  readonly problem: RingProblem;
  readonly solved: SolvedRing;
}

/** What the search was for and what it compared, and why each unused node is not used. */
export function explainRing(chosen: ChosenRing): {
  readonly why: readonly string[];
  readonly unused: readonly UnusedNode[];
} {
  const others = new Alternatives(chosen);
  return {
    why: [
      aimText(chosen),
      ...asked(chosen),
      ...others.splitText(),
      ...others.nextBestText(),
      ...unmeasuredLinks(chosen),
      ...cutsText(chosen),
    ],
    unused: others.unused(),
  };
}

function aimText({ aim, solved, task }: ChosenRing): string {
  const what = task.textTokens === null ? "answer" : "text to embed";
  const several = task.textTokens === null ? "answers" : "texts to embed";
  const least = task.minNodes > 1 && solved.ring.length >= task.minNodes ? ` with at least ${task.minNodes} nodes` : "";
  const sought =
    aim.strategy === "latency"
      ? `This is the quickest placement for one ${what}${least}`
      : `This placement gives the most tokens per second with ${aim.streams} ${several} at once${least}`;
  const certain =
    solved.gap === 0 ? "" : ` (too many nodes to compare all; another is at most ${percent(solved.gap)} quicker)`;
  return `${sought}${certain}.`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

function asked({ task, solved, problem }: ChosenRing): readonly string[] {
  if (task.minNodes <= 1) return [];
  const used = solved.ring.length;
  if (used >= task.minNodes) return [`At least ${task.minNodes} nodes were asked for (--min-nodes).`];
  const most = `no ring of more than ${problem.minStages} holds the model`;
  return [`${task.minNodes} nodes were asked for (--min-nodes), but ${most}.`];
}

function unmeasuredLinks({ task, problem, solved }: ChosenRing): readonly string[] {
  const { ring } = solved;
  if (ring.length === 1) return [];
  const ids = ring.map(({ node }) => problem.nodes[node]?.id ?? "");
  const links = task.speeds?.links ?? [];
  const unknown = ids.filter((from, index) => {
    const to = ids[(index + 1) % ids.length] ?? from;
    return knownLink(links, from, to) === null && knownLink(links, to, from) === null;
  });
  if (unknown.length === 0) return [];
  const names = unknown.map((id) => nodeLabel(task.nodes, id)).join(", ");
  return [`Not measured yet, and taken for a plain local network's: the links that begin at ${names}.`];
}

function cutsText({ task }: ChosenRing): readonly string[] {
  const { reason } = task.cuts;
  return reason === null ? [] : [`The model cannot be cut between any two layers: ${reason}.`];
}

/** The rings that differ from the chosen one by one node, each with its best cuts, and those of one node. */
class Alternatives {
  readonly #chosen: ChosenRing;
  /** By unused node: the best ring of several with it. */
  readonly #including = new Map<number, Solution>();
  readonly #excluding: readonly Solution[];
  readonly #alone: readonly Solution[];

  constructor(chosen: ChosenRing) {
    this.#chosen = chosen;
    const { problem, solved, aim } = chosen;
    const objective = objectiveOf(problem, aim);
    const order = solved.ring.map(({ node }) => node);
    const found = (orders: readonly (readonly number[])[]): readonly Solution[] =>
      orders.map((other) => orderSolution(objective, other)).filter((solution) => solution !== null);
    for (const node of problem.nodes.keys()) {
      if (order.includes(node)) continue;
      for (const other of including(order, node)) {
        if (other.length < 2) continue;
        const better = orderSolution(objective, other, this.#including.get(node)?.seconds);
        if (better !== null) this.#including.set(node, better);
      }
    }
    this.#excluding = order.length < 2 ? [] : found(order.map((_, at) => order.toSpliced(at, 1)));
    const others = [...problem.nodes.keys()].filter((node) => order.length > 1 || !order.includes(node));
    this.#alone = found(others.map((node) => [node]));
  }

  /** Why the model is, or is not, on one node. */
  splitText(): readonly string[] {
    const { solved, problem, task } = this.#chosen;
    const [head] = solved.ring;
    if (head === undefined || problem.nodes.length < 2) return [];
    if (solved.ring.length === 1) {
      const split = best([...this.#including.values()]);
      if (split === null) return ["It is not split, because no ring of two holds it."];
      const name = nodeLabel(task.nodes, problem.nodes[head.node]?.id ?? "");
      return [`It is not split, because ${name} alone is quicker: on two nodes it would be ${this.#rate(split)}.`];
    }
    const alone = best(this.#alone);
    if (alone === null) return ["It is split because no node holds it alone."];
    if (task.minNodes > 1 && alone.seconds < solved.seconds) {
      return [`One node alone would be quicker: ${this.#names(alone)} with ${this.#rate(alone)}.`];
    }
    return [
      `It is split because that is quicker than ${this.#names(alone)} alone, which would give ${this.#rate(alone)}.`,
    ];
  }

  nextBestText(): readonly string[] {
    const { minStages } = this.#chosen.problem;
    const all = [...this.#including.values(), ...this.#excluding, ...this.#alone];
    const next = best(all.filter(({ ring }) => ring.length >= minStages));
    if (next === null) return [];
    return [`The next best, on ${this.#names(next)}, would give ${this.#rate(next)}.`];
  }

  unused(): readonly UnusedNode[] {
    const { task, problem, solved } = this.#chosen;
    const used = new Set(solved.ring.map(({ node }) => problem.nodes[node]?.id));
    return task.nodes.filter(({ id }) => !used.has(id)).map(({ id }) => ({ nodeId: id, reason: this.#reason(id) }));
  }

  #reason(nodeId: string): string {
    const { task, problem, solved } = this.#chosen;
    const node = problem.nodes.findIndex(({ id }) => id === nodeId);
    const held = problem.nodes[node];
    if (held === undefined) return "its speed is not measured yet";
    const { earliest, canHead } = held;
    if (!canHead.includes(true) && earliest.every((begin, end) => begin >= end)) {
      const offers = usableMemory(task.nodes.find(({ id }) => id === nodeId) ?? NOBODY);
      return `it offers ${formatByteSize(offers)}, which holds no layer`;
    }
    const included = this.#including.get(node) ?? this.#alone.find(({ ring }) => ring[0]?.node === node);
    if (included === undefined) return "no ring with it holds the model";
    return `with it the best would be ${this.#rate(included)}, without it is ${this.#rate(solved)}`;
  }

  #rate({ seconds }: Solution): string {
    const { aim, problem } = this.#chosen;
    return rate(((aim.strategy === "latency" ? 1 : aim.streams) * problem.requestRows) / seconds);
  }

  #names({ ring }: Solution): string {
    const { problem, task } = this.#chosen;
    return ring.map(({ node }) => nodeLabel(task.nodes, problem.nodes[node]?.id ?? "")).join(", ");
  }
}

const NOBODY = { id: "", name: "", devices: [], memoryCap: 0 };

function best(solutions: readonly Solution[]): Solution | null {
  return solutions.toSorted((a, b) => a.seconds - b.seconds)[0] ?? null;
}
