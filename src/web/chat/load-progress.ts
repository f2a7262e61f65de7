import type { ClusterDocument, ClusterDownload } from "../api/cluster-document.js";
import type { ListedModel } from "../api/models-document.js";
import { formatBytes } from "../app/format.js";

export interface LoadProgress {
  /** A sentence without its full stop. */
  readonly text: string;
  /** 0 to 1; `null`: not known. */
  readonly fraction: number | null;
}

/** How far the loading of a model is; `null` while it is not being loaded. */
export function loadProgress(cluster: ClusterDocument | null, model: ListedModel): LoadProgress | null {
  const names = [model.id, ...model.aliases];
  const isIt = (one: { readonly model: string; readonly spec: string }): boolean =>
    names.includes(one.model) || names.includes(one.spec);
  const downloads = (cluster?.nodes ?? []).flatMap((node) => node.downloads.filter(isIt));
  if (downloads.length > 0) return downloadProgress(downloads);
  const ring = cluster?.rings.find((one) => isIt(one) && (one.state === "loading" || one.state === "waiting"));
  if (ring === undefined) return null;
  if (ring.state === "waiting") return { text: waitingText(model.id, ring.reason), fraction: null };
  return { text: `Loading ${model.id}: ${percent(ring.progress)}`, fraction: ring.progress };
}

function waitingText(id: string, reason: string | null): string {
  return reason === null ? `${id} waits` : `${id} cannot be loaded yet: ${reason.replace(/\.$/, "")}`;
}

function downloadProgress(downloads: readonly ClusterDownload[]): LoadProgress {
  const received = sum(downloads.map((download) => download.received));
  const rate = sum(downloads.map(({ bytesPerSecond }) => bytesPerSecond));
  const totals = downloads.map(({ total }) => total).filter((total) => total !== null);
  const known = totals.length === downloads.length;
  const total = sum(totals);
  const speed = rate > 0 ? `, ${formatBytes(rate)}/s` : "";
  const of = known ? ` of ${formatBytes(total)}` : "";
  return {
    text: `Fetching the model: ${formatBytes(received)}${of}${speed}`,
    fraction: known && total > 0 ? Math.min(1, received / total) : null,
  };
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
