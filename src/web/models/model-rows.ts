import type { CachedModel, ClusterDocument, ClusterNode, ClusterRing } from "../api/cluster-document.js";
import type { ListedModel } from "../api/models-document.js";

/** Whose disk holds a model, whole or in part. */
export interface Holder {
  readonly name: string;
  readonly complete: boolean;
  readonly bytes: number;
}

export type RowState = "loaded" | "loading" | "waiting" | "failed" | "disk" | "catalogue" | "unlisted";

/** A model as the list shows it. */
export interface ModelRow {
  /** What requests name. */
  readonly id: string;
  /** What plans and loads name: where the model is found. */
  readonly spec: string;
  readonly state: RowState;
  /** Bytes; `null`: not known yet. */
  readonly bytes: number | null;
  readonly rings: readonly ClusterRing[];
  readonly holders: readonly Holder[];
}

/** All models that are known: those on rings, those on disks, and those of the catalogue. */
export function modelRows(models: readonly ListedModel[], cluster: ClusterDocument): readonly ModelRow[] {
  const rows = models.map((model) => rowOf(model, cluster));
  const unlisted = cluster.rings.filter(({ id }) => !rows.some(({ rings }) => rings.some((ring) => ring.id === id)));
  // A ring that failed is listed nowhere else.
  return [...unlisted.map((ring) => ringRow(ring, cluster)), ...rows];
}

function rowOf({ id, aliases, sizeBytes, state }: ListedModel, { rings, nodes }: ClusterDocument): ModelRow {
  const names = new Set([id, ...aliases]);
  const own = rings.filter(({ model, spec }) => names.has(model) || names.has(spec));
  const holders = holdersOf(nodes, new Set([...names, ...own.flatMap(({ model, spec }) => [model, spec])]));
  const placed = state === "unloaded" ? ringState(own) : state;
  const bytes = sizeBytes ?? (Math.max(0, ...holders.map((holder) => holder.bytes)) || null);
  const spec = own[0]?.spec ?? aliases[0] ?? id;
  return { id, spec, state: placed ?? (holders.length > 0 ? "disk" : "catalogue"), bytes, rings: own, holders };
}

function ringRow(ring: ClusterRing, { nodes }: ClusterDocument): ModelRow {
  const holders = holdersOf(nodes, new Set([ring.model, ring.spec]));
  const { model: id, spec } = ring;
  return { id, spec, state: ringState([ring]) ?? "disk", bytes: null, rings: [ring], holders };
}

/** The row of that name; a model that no list has gets one too, for it is the reader's to say where it is. */
export function rowOfModel(rows: readonly ModelRow[], name: string): ModelRow {
  const found = rows.find(({ id, spec, rings }) => {
    return id === name || spec === name || rings.some((ring) => ring.model === name || ring.spec === name);
  });
  return found ?? { id: name, spec: name, state: "unlisted", bytes: null, rings: [], holders: [] };
}

function ringState(rings: readonly ClusterRing[]): RowState | null {
  if (rings.some(({ state }) => state === "ready")) return "loaded";
  if (rings.some(({ state }) => state === "loading")) return "loading";
  if (rings.some(({ state }) => state === "waiting")) return "waiting";
  return rings.length > 0 ? "failed" : null;
}

function holdersOf(nodes: readonly ClusterNode[], names: ReadonlySet<string>): readonly Holder[] {
  return nodes.flatMap((node) => {
    const found = node.models.find(({ id, spec }: CachedModel) => names.has(id) || names.has(spec));
    return found === undefined ? [] : [{ name: node.name, complete: found.complete, bytes: found.bytes }];
  });
}

/** Of all nodes that take part, so far as the system tells; bytes. */
export function freeMemory({ nodes }: ClusterDocument): number {
  return nodes
    .filter(({ state }) => state === "alive")
    .flatMap(({ devices }) => devices)
    .reduce((sum, { memoryFree }) => sum + memoryFree, 0);
}

/** A word on whether a file of this size may fit, from sizes alone; the estimate says it exactly. */
export function roughFit(bytes: number | null, free: number): string {
  if (bytes === null || free <= 0) return "";
  // KV cache and buffers come on top of the weights.
  if (bytes * 1.15 < free) return "may fit";
  return bytes < free ? "is close" : "is too large";
}
