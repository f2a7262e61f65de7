import type { ErrorCode, ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import type { Plan } from "../planning/plan.js";
import type { NodeRecord } from "./node-record.js";
import { MOST_UNFIT, type UnfitRecord } from "./unfit-record.js";

/** A node that could not load its stage of a model. */
export interface UnfitNode {
  readonly nodeId: string;
  readonly name: string;
  /** As a part of a sentence. */
  readonly reason: string;
  /** Milliseconds of the wall clock. */
  readonly until: number;
}

interface Found extends Omit<UnfitNode, "until"> {
  /** A node that was started again may be able to. */
  readonly instance: string;
  /** Of the monotonic clock. */
  readonly ends: number;
  /** How often it failed by now. */
  readonly times: number;
}

/** For so long a model is placed without it; twice as long after each further failure. */
const UNFIT_MS = 5 * 60_000;
const MOST_DOUBLINGS = 3;
const LONGEST_MS = UNFIT_MS * 2 ** MOST_DOUBLINGS;
/** For so long after that it is remembered that it failed. */
const REMEMBERED_MS = 60 * 60_000;
/** Faults of one node, that others need not have. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(["out_of_memory", "disk_full", "download_failed", "crash_loop"]);
const LONGEST_REASON = 1000;

/** Which nodes could not load what was planned for them, whatever they say of themselves. */
export class UnfitNodes {
  readonly #clock: Clock;
  readonly #told: () => readonly UnfitRecord[];
  readonly #bySpec = new Map<string, readonly Found[]>();

  /** @param told what other heads found */
  constructor(clock: Clock, told: () => readonly UnfitRecord[] = () => []) {
    this.#clock = clock;
    this.#told = told;
  }

  /** Whether the node is left out for this from now on. */
  add(spec: string, { id: nodeId, name, instance }: NodeRecord, { code, message }: ExoError): boolean {
    if (!OWN_FAULTS.has(code)) return false;
    const reason = `it could not load its stage: ${message.slice(0, LONGEST_REASON).replace(/\.$/, "")}`;
    const now = this.#clock.monotonic();
    this.#forget(now);
    const known = this.#bySpec.get(spec) ?? [];
    const before = known.find((node) => node.nodeId === nodeId && node.instance === instance);
    const times = (before?.times ?? 0) + 1;
    const ends = now + UNFIT_MS * 2 ** Math.min(MOST_DOUBLINGS, times - 1);
    const others = known.filter((node) => node.nodeId !== nodeId);
    this.#bySpec.set(spec, [...others, { nodeId, name, reason, instance, ends, times }]);
    return true;
  }

  /** Those of the nodes that a model is to be placed without. */
  among(spec: string, nodes: readonly Pick<NodeRecord, "id" | "instance">[]): readonly UnfitNode[] {
    const now = this.#clock.monotonic();
    return this.#all(spec)
      .filter((found) => nodes.some(({ id, instance }) => id === found.nodeId && instance === found.instance))
      .map(({ nodeId, name, reason, ends }) => ({ nodeId, name, reason, until: this.#clock.wall() + ends - now }));
  }

  /** Milliseconds until one of them is tried again; `null`: there is none. */
  msLeft(spec: string): number | null {
    const ends = this.#all(spec).map((found) => found.ends - this.#clock.monotonic());
    return ends.length === 0 ? null : Math.min(...ends);
  }

  /** What this node found, for the others. */
  records(): UnfitRecord[] {
    const now = this.#clock.monotonic();
    const found = [...this.#bySpec.keys()].flatMap((spec) =>
      this.#own(spec).map(({ ends, times: _, ...node }) => ({ spec, ...node, secondsLeft: (ends - now) / 1000 })),
    );
    return found.slice(-MOST_UNFIT);
  }

  #forget(now: number): void {
    for (const [spec, nodes] of this.#bySpec) {
      const kept = nodes.filter(({ ends }) => ends + REMEMBERED_MS > now);
      if (kept.length === 0) this.#bySpec.delete(spec);
      else this.#bySpec.set(spec, kept);
    }
  }

  #all(spec: string): readonly Found[] {
    const own = this.#own(spec);
    const now = this.#clock.monotonic();
    const told = this.#told()
      .filter((record) => record.spec === spec && record.secondsLeft > 0)
      .filter(({ nodeId }, index, all) => all.findIndex((other) => other.nodeId === nodeId) === index)
      .filter(({ nodeId }) => !own.some((node) => node.nodeId === nodeId))
      .map(({ secondsLeft, ...node }) => ({ ...node, times: 1, ends: now + Math.min(LONGEST_MS, secondsLeft * 1000) }));
    return [...own, ...told];
  }

  #own(spec: string): readonly Found[] {
    return (this.#bySpec.get(spec) ?? []).filter(({ ends }) => ends > this.#clock.monotonic());
  }
}

export function unfitText(node: UnfitNode): string {
  return `${node.name} is not used: ${whyUnfit(node)}.`;
}

/** A plan made without these nodes, which says so. */
export function withUnfit(plan: Plan, unfit: readonly UnfitNode[]): Plan {
  const unused = unfit.map((node) => ({ nodeId: node.nodeId, reason: whyUnfit(node), isLeftOut: true }));
  return { ...plan, unused: [...plan.unused, ...unused], reasons: [...plan.reasons, ...unfit.map(unfitText)] };
}

function whyUnfit({ reason, until }: UnfitNode): string {
  const minute = new Date(Math.ceil(until / 60_000) * 60_000);
  return `it is left out until ${minute.toTimeString().slice(0, 5)}, because ${reason}`;
}
