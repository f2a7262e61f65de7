import { formatByteSize } from "../../config/byte-size.js";
import type { ClusterDocument, NodeDocument } from "../node-client/cluster-document.js";
import { inColumns, shortened, wrapped } from "./columns.js";
import type { Paint } from "./paint.js";
import { drawRing } from "./ring-picture.js";

const LONGEST_NAME = 24;
const LONGEST_REASON = 500;

/** Nodes and rings as `exo-native status` prints them, in lines of fewer than `width` columns. */
export function drawCluster(cluster: ClusterDocument, width: number, paint: Paint): string {
  const rings = cluster.rings.flatMap((ring) => ["", ...drawRing(cluster, ring, width, paint)]);
  const none = ["", "No model is placed. Start a node with one: npx exo-native serve <model>"];
  return [...drawNodes(cluster, width, paint), ...(rings.length === 0 ? none : rings), ""].join("\n");
}

function drawNodes(cluster: ClusterDocument, width: number, paint: Paint): string[] {
  const lines = inColumns(cluster.nodes.map((node) => nodeRow(node, cluster.node.id, paint)));
  return cluster.nodes.flatMap((node, index) => [lines[index] ?? "", ...reasonLines(node, width)]);
}

function nodeRow(node: NodeDocument, ownId: string, paint: Paint): readonly string[] {
  return [
    `${stateMark(node.state, paint)} ${shortened(shownName(node), LONGEST_NAME)}`,
    node.address,
    node.state === "alive" ? memoryText(node) : node.state,
    node.id === ownId ? paint("dim", "this node") : foundBy(node, paint),
  ];
}

/** Of one that takes no part. */
function foundBy({ source }: NodeDocument, paint: Paint): string {
  return source === undefined ? "" : paint("dim", `found by ${source}`);
}

/** Who never told its name is listed under its address, which stands beside it anyway. */
function shownName({ name, address }: NodeDocument): string {
  return name === address ? "unknown" : name;
}

function stateMark(state: string, paint: Paint): string {
  if (state === "alive") return paint("green", "●");
  return state === "suspect" ? paint("yellow", "◐") : paint("red", "○");
}

function memoryText({ devices }: NodeDocument): string {
  return devices
    .map(({ name, memory_free, memory_total }) => {
      return `${name} ${formatByteSize(memory_free)} of ${formatByteSize(memory_total)} free`;
    })
    .join(", ");
}

/** Reasons are sentences, so they get lines of their own and are wrapped rather than cut. */
function reasonLines({ reason }: NodeDocument, width: number): string[] {
  return reason === null ? [] : wrapped(reason.slice(0, LONGEST_REASON), width - 5).map((line) => `    ${line}`);
}
