import { formatByteSize } from "../../config/byte-size.js";
import type { ClusterDocument, NodeDocument } from "../node-client/cluster-document.js";
import { clipped, inColumns, packed, shortened, visibleLength, wrapped } from "./columns.js";
import type { Paint } from "./paint.js";

const LONGEST_NAME = 24;
const LONGEST_REASON = 500;
const INDENT = "    ";

/** The nodes of the cluster with their memory, then those that were seen and take no part, with the reason. */
export function drawNodes(cluster: ClusterDocument, width: number, paint: Paint): readonly string[] {
  const members = cluster.nodes.filter((node) => !isStranger(node));
  const strangers = cluster.nodes.filter(isStranger);
  return [
    ...drawMembers(members, cluster, width, paint),
    ...(strangers.length === 0 ? [] : ["", "Seen, but not used:", ...drawStrangers(strangers, width, paint)]),
  ];
}

/** An address where nobody took part so far, or where somebody was refused. */
function isStranger({ state, version }: NodeDocument): boolean {
  return state === "refused" || version === "";
}

/** One line each where it fits, with the memory below it where it does not. */
function drawMembers(
  nodes: readonly NodeDocument[],
  cluster: ClusterDocument,
  width: number,
  paint: Paint,
): readonly string[] {
  const row = (node: NodeDocument, memory: readonly string[]) => [
    ...nameAndAddress(node, paint),
    ...memory,
    remarks(node, cluster, paint),
  ];
  const whole = inColumns(nodes.map((node) => row(node, [memoryText(node).join(", ")])));
  const why = (node: NodeDocument) => sentenceLines([node.reason, node.notice, ...planReasons(node, cluster)], width);
  if (whole.every((line) => visibleLength(line) < width)) {
    return nodes.flatMap((node, index) => [whole[index] ?? "", ...why(node)]);
  }
  const short = inColumns(nodes.map((node) => row(node, [])));
  return nodes.flatMap((node, index) => [
    clipped(short[index] ?? "", width - 1),
    ...packed(memoryText(node), ", ", width - 1 - INDENT.length).map((line) => clipped(INDENT + line, width - 1)),
    ...why(node),
  ]);
}

function drawStrangers(nodes: readonly NodeDocument[], width: number, paint: Paint): readonly string[] {
  const how = ({ source }: NodeDocument): string => (source ? paint("dim", `found by ${source}`) : "");
  const lines = inColumns(nodes.map((node) => [...nameAndAddress(node, paint), node.state, how(node)]));
  return nodes.flatMap((node, index) => [
    clipped(lines[index] ?? "", width - 1),
    ...sentenceLines([node.reason], width),
  ]);
}

function nameAndAddress(node: NodeDocument, paint: Paint): readonly string[] {
  return [`${stateMark(node.state, paint)} ${shortened(shownName(node), LONGEST_NAME)}`, node.address];
}

/** Who never told its name is listed under its address, which stands beside it anyway. */
function shownName({ name, address }: NodeDocument): string {
  return name === address ? "unknown" : name;
}

function stateMark(state: string, paint: Paint): string {
  if (state === "alive") return paint("green", "●");
  return state === "suspect" ? paint("yellow", "◐") : paint("red", "○");
}

function memoryText({ devices, state }: NodeDocument): readonly string[] {
  if (state !== "alive") return [state];
  return devices.map(({ name, memory_free, memory_total }) => {
    return `${name} ${formatByteSize(memory_free)} of ${formatByteSize(memory_total)} free`;
  });
}

function remarks(node: NodeDocument, { node: own, rings }: ClusterDocument, paint: Paint): string {
  const holds = rings.some(({ stages }) => stages.some(({ node_id }) => node_id === node.id));
  const isPlaced = rings.some(({ stages }) => stages.length > 0);
  const words = [
    ...(node.id === own.id ? [paint("dim", "this node")] : []),
    ...(node.draining === true ? [paint("yellow", holds ? "draining" : "drained")] : []),
    ...(node.power === "battery" ? [paint("yellow", "on battery")] : []),
    ...(node.state === "alive" && isPlaced && !holds ? [paint("dim", "no layers")] : []),
  ];
  return words.join(", ");
}

/** Why the plan of a ring left out a node that is there. */
function planReasons({ id, name, state }: NodeDocument, { rings }: ClusterDocument): readonly string[] {
  if (state !== "alive") return [];
  return rings.flatMap(({ model, plan, stages }) => {
    if (stages.some(({ node_id }) => node_id === id)) return [];
    const marks = [`${name} is not used: `, `${name} (${id}) is not used: `];
    return (plan ?? []).flatMap((sentence) => {
      const mark = marks.find((one) => sentence.startsWith(one));
      return mark === undefined ? [] : [`Not used for ${model}: ${sentence.slice(mark.length)}`];
    });
  });
}

/** Sentences get lines of their own and are wrapped rather than cut. */
function sentenceLines(sentences: readonly (string | null | undefined)[], width: number): readonly string[] {
  const told = sentences.filter((sentence) => typeof sentence === "string");
  const lines = told.flatMap((one) => wrapped(one.slice(0, LONGEST_REASON), width - 1 - INDENT.length));
  return lines.map((line) => clipped(INDENT + line, width - 1));
}
