import { formatByteSize } from "../../config/byte-size.js";
import type { ClusterDocument, RingDocument, StageDocument } from "../node-client/cluster-document.js";
import { type Alignment, inColumns, shortened, visibleLength, wrapped } from "./columns.js";
import type { Paint } from "./paint.js";

const LONGEST_NAME = 18;
const SHORTEST_BAR = 8;
const LONGEST_BAR = 32;

const ALIGNMENT: readonly Alignment[] = ["left", "left", "left", "right", "right"];

/** One ring as lines: what it runs, its stages with their layers and memory, and the way back to the head. */
export function drawRing(cluster: ClusterDocument, ring: RingDocument, width: number, paint: Paint): string[] {
  return [ringTitle(ring, paint), ...reasonLine(ring, width), "", ...drawStages(cluster, ring, width, paint)];
}

function ringTitle(ring: RingDocument, paint: Paint): string {
  const facts = [
    stateText(ring, paint),
    `${ring.layer_count} layers`,
    ...(ring.context_size > 0 ? [`context ${ring.context_size}`] : []),
    ...requestText(ring),
    ...(ring.epoch > 1 ? [`epoch ${ring.epoch}`] : []),
  ];
  return `${paint("bold", ring.model)}  ${facts.join(" · ")}`;
}

function stateText({ state, progress }: RingDocument, paint: Paint): string {
  if (state === "ready") return paint("green", state);
  if (state === "failed") return paint("red", state);
  return paint("yellow", state === "loading" ? `loading ${Math.floor(progress * 100)} %` : state);
}

function requestText({ slots, busy_slots, waiting_requests }: RingDocument): string[] {
  const busy = slots === undefined || busy_slots === undefined ? [] : [`${busy_slots} of ${slots} slots busy`];
  const waiting = (waiting_requests ?? 0) > 0 ? [`${waiting_requests} waiting`] : [];
  return [...busy, ...waiting];
}

function reasonLine({ reason }: RingDocument, width: number): string[] {
  return reason ? wrapped(reason, width - 3).map((line) => `  ${line}`) : [];
}

const HEADINGS = ["", "layers", "", "weights", "KV cache"];
const RAIL = { first: "  ╭▶ ", between: "  │  ", step: "  │     ↓", back: "  ╰─────╯" };

function drawStages(cluster: ClusterDocument, ring: RingDocument, width: number, paint: Paint): string[] {
  if (ring.stages.length === 0) return ["  not placed yet"];
  const draw = (bar: number) =>
    inColumns([HEADINGS, ...ring.stages.map((stage) => stageRow(cluster, ring, stage, bar, paint))], ALIGNMENT);
  const used = RAIL.first.length + Math.max(...draw(0).map(visibleLength));
  const bar = Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, width - 1 - used));
  const [headings = "", ...lines] = draw(bar);
  return [" ".repeat(RAIL.first.length) + paint("dim", headings), ...withRail(lines)];
}

function stageRow(
  cluster: ClusterDocument,
  ring: RingDocument,
  stage: StageDocument,
  bar: number,
  paint: Paint,
): readonly string[] {
  const name = cluster.nodes.find((node) => node.id === stage.node_id)?.name ?? stage.node_id;
  const head = stage.has_output ? " (head)" : "";
  return [
    shortened(name, LONGEST_NAME) + head,
    `[${stage.layer_begin}, ${stage.layer_end})`,
    layerBar(stage, ring.layer_count, bar, paint),
    isLoading(ring) ? loadingText(stage) : formatByteSize(stage.memory.weights),
    isLoading(ring) ? "" : formatByteSize(stage.memory.kv_cache),
  ];
}

function isLoading(ring: RingDocument): boolean {
  return ring.state !== "ready";
}

function loadingText({ phase, progress }: StageDocument): string {
  const percent = progress === undefined || phase === "loaded" ? "" : ` ${Math.floor(progress * 100)} %`;
  return `${phase ?? ""}${percent}`.trim();
}

/** Where in the model the stage's layers lie. */
function layerBar({ layer_begin, layer_end }: StageDocument, layers: number, length: number, paint: Paint): string {
  if (layers <= 0 || length === 0) return "";
  const begin = Math.round((layer_begin / layers) * length);
  const end = Math.round((layer_end / layers) * length);
  const [before, inside, after] = ["░".repeat(begin), "█".repeat(end - begin), "░".repeat(length - end)];
  return paint("dim", before) + paint("cyan", inside) + paint("dim", after);
}

/** The rail at the left is the way back from the last stage to the head. */
function withRail(lines: readonly string[]): string[] {
  const stages = lines.map((line, index) => (index === 0 ? RAIL.first : RAIL.between) + line);
  return [...stages.flatMap((line, index) => (index === 0 ? [line] : [RAIL.step, line])), RAIL.back];
}
