import { resolvedWithin } from "../core/waiting.js";
import type { Speeds } from "../planning/speeds.js";
import type { ModelRequest } from "./model-request.js";
import type { PlaceableModel } from "./model-source.js";
import type { NodeRecord } from "./node-record.js";
import type { GatherSpeeds } from "./ring-planner.js";

/** For nodes to say what they have measured already. */
const AT_ONCE_MS = 300;

/** What was measured of models, kept for rings that have to be placed at once. */
export class KnownSpeeds {
  readonly #gather: GatherSpeeds;
  /** By spec. */
  readonly #known = new Map<string, Speeds>();

  constructor(gather: GatherSpeeds) {
    this.#gather = gather;
  }

  /** As `GatherSpeeds`, however long it takes. */
  async measured(
    nodes: readonly NodeRecord[],
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<Speeds | null> {
    const speeds = await this.#gather(nodes, model, request, signal, null);
    if (speeds !== null) this.#known.set(model.spec, speeds);
    return speeds;
  }

  /** What is known without measuring anything: of nodes that have not said it before they are asked, for a moment. */
  async now(
    nodes: readonly NodeRecord[],
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<Speeds | null> {
    if (request.strategy === "memory-weighted") return null;
    const known = this.#known.get(model.spec) ?? null;
    if (known !== null && nodes.every(({ id }) => known.nodes.has(id))) return known;
    // A probe that is under way takes a while to be given up.
    const fresh = await resolvedWithin(this.#gather(nodes, model, request, signal, AT_ONCE_MS), 2 * AT_ONCE_MS);
    if (fresh === null || known === null) return fresh ?? known;
    const isFresh = (from: string, to: string): boolean =>
      fresh.links.some((link) => link.from === from && link.to === to);
    return {
      nodes: new Map([...known.nodes, ...fresh.nodes]),
      links: [...fresh.links, ...known.links.filter(({ from, to }) => !isFresh(from, to))],
    };
  }
}
