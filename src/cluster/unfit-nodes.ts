import type { ErrorCode, ExoError } from "../core/errors.js";
import type { Clock } from "../core/ports.js";
import type { Plan } from "../planning/plan.js";
import type { NodeRecord } from "./node-record.js";

/** A node that could not load its stage of a model. */
export interface UnfitNode {
  readonly nodeId: string;
  readonly name: string;
  /** As a part of a sentence. */
  readonly reason: string;
}

interface Found extends UnfitNode {
  /** A node that was started again may be able to. */
  readonly instance: string;
  readonly until: number;
}

/** For so long a model is placed without it. */
const UNFIT_MS = 5 * 60_000;
/** Faults of one node, that others need not have. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(["out_of_memory", "disk_full", "download_failed", "crash_loop"]);

/** Which nodes could not load what was planned for them, whatever they say of themselves. */
export class UnfitNodes {
  readonly #clock: Clock;
  readonly #bySpec = new Map<string, readonly Found[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the node is left out for this from now on. */
  add(spec: string, { id: nodeId, name, instance }: NodeRecord, { code, message }: ExoError): boolean {
    if (!OWN_FAULTS.has(code)) return false;
    const reason = `it could not load its stage: ${message.replace(/\.$/, "")}`;
    const others = this.#fresh(spec).filter((node) => node.nodeId !== nodeId);
    this.#bySpec.set(spec, [...others, { nodeId, name, reason, instance, until: this.#clock.monotonic() + UNFIT_MS }]);
    return true;
  }

  /** Those of the nodes that a model is to be placed without. */
  among(spec: string, nodes: readonly Pick<NodeRecord, "id" | "instance">[]): readonly UnfitNode[] {
    return this.#fresh(spec).filter((found) =>
      nodes.some(({ id, instance }) => id === found.nodeId && instance === found.instance),
    );
  }

  /** Milliseconds until one of them is tried again; `null`: there is none. */
  msLeft(spec: string): number | null {
    const ends = this.#fresh(spec).map(({ until }) => until - this.#clock.monotonic());
    return ends.length === 0 ? null : Math.min(...ends);
  }

  #fresh(spec: string): readonly Found[] {
    const fresh = (this.#bySpec.get(spec) ?? []).filter(({ until }) => until > this.#clock.monotonic());
    if (fresh.length === 0) this.#bySpec.delete(spec);
    return fresh;
  }
}

export function unfitText({ name, reason }: UnfitNode): string {
  return `${name} is not used: ${reason}.`;
}

/** A plan made without these nodes, which says so. */
export function withUnfit(plan: Plan, unfit: readonly UnfitNode[]): Plan {
  const unused = unfit.map(({ nodeId, reason }) => ({ nodeId, reason }));
  return { ...plan, unused: [...plan.unused, ...unused], reasons: [...plan.reasons, ...unfit.map(unfitText)] };
}
