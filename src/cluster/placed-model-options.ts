import type { Clock, Logger } from "../core/ports.js";
import type { Plan } from "../planning/plan.js";
import type { LoadedHead, OpenHead } from "./head-port.js";
import type { MemberView } from "./member-view.js";
import type { ModelRequest, RingRemains } from "./model-request.js";
import type { ModelSource, PlaceableModel } from "./model-source.js";
import type { NodeRecord, RingRecord } from "./node-record.js";
import type { RingSettings } from "./ring-settings.js";
import type { UnfitNodes } from "./unfit-nodes.js";

/** A plan, and the settings it was made for. */
export interface Placement {
  readonly plan: Plan;
  readonly ring: RingSettings;
}

export interface PlacedModelOptions<Head extends LoadedHead> {
  readonly ringId: string;
  readonly request: ModelRequest;
  /** Id of the node that planned the ring and asked this one; its own id where nobody else did. */
  readonly proposedBy: string;
  readonly self: { readonly id: string; readonly name: string };
  /** What this node says of itself now. */
  readonly ownRecord: () => NodeRecord;
  readonly membership: MemberView;
  readonly models: ModelSource;
  /** What is planned is planned without these. */
  readonly unfit: UnfitNodes;
  /** Resolves when this node may go on with the ring; rejects, or aborts it, when another one does. */
  readonly mayPlace: (signal: AbortSignal) => Promise<void>;
  /** Plans the model over the nodes that are there now; at once where a ring before it left something behind. */
  readonly place: (
    model: PlaceableModel,
    request: ModelRequest,
    signal: AbortSignal,
    remains: RingRemains | null,
  ) => Promise<Placement>;
  /** Asks the head of the plan, another node, to go on with the ring. */
  readonly handOver: (plan: Plan, request: ModelRequest) => Promise<void>;
  readonly openHead: OpenHead<Head>;
  /** Called after every change of the record. */
  readonly onChange: (record: RingRecord) => void;
  /** A ring that worked before is loaded again: it broke, or another placement is worth it. */
  readonly onPlacedAnew?: (model: string, cause: "broken" | "better") => void;
  readonly retryMs: number;
  /** Requests that may wait while the ring is brought back or placed anew; default: any number. */
  readonly mostHeld?: number;
  readonly clock: Clock;
  readonly logger: Logger;
}
