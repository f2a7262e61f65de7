import type { ClusterDocument, DownloadDocument, NodeDocument } from "../node-client/cluster-document.js";
import { shortened } from "./columns.js";
import type { Paint } from "./paint.js";
import { type BarState, drawBar } from "./progress-bar.js";

const LONGEST_NAME = 14;
const LONGEST_MODEL = 20;

const WORDS: Readonly<Record<string, string>> = { downloading: "fetching" };

/** A bar for each model that a node fetches. */
export function drawDownloads(cluster: ClusterDocument, width: number, paint: Paint): readonly string[] {
  const bars = cluster.nodes.flatMap((node) =>
    (node.downloads ?? []).map((download) => drawBar(barOf(node, download), width, paint)),
  );
  return bars.length === 0 ? [] : ["", ...bars];
}

function barOf({ name }: NodeDocument, download: DownloadDocument): BarState {
  const { model, spec, received, total, phase, bytes_per_second } = download;
  const what = shortened(model ?? spec, LONGEST_MODEL);
  return {
    label: `${shortened(name, LONGEST_NAME)} ${WORDS[phase] ?? phase} ${what}`,
    fraction: total === null || total === 0 ? null : received / total,
    bytes: { done: received, total },
    perSecond: bytes_per_second || null,
  };
}
