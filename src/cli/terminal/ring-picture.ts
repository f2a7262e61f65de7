import { formatByteSize } from "../../config/byte-size.js";
import type { ClusterDocument, RingDocument, StageDocument } from "../node-client/cluster-document.js";
import { type Alignment, clipped, inColumns, packed, shortened, visibleLength, wrapped } from "./columns.js";
import type { Paint } from "./paint.js";
import { linkText, speedFacts } from "./ring-speed.js";

const SHORTEST_BAR = 8;
const LONGEST_BAR = 32;
const INDENT = "  ";

/** One ring as lines: what it runs and how fast, its stages with layers and memory, and the way back to the head. */
export function drawRing(cluster: ClusterDocument, ring: RingDocument, width: number, paint: Paint): string[] {
  const lines = [
    ...factLines(shortened(ring.model, width - 1), ringFacts(ring, paint), width, paint),
    ...packed(speedFacts(ring), " · ", width - 1 - INDENT.length).map((line) => INDENT + line),
    ...reasonLines(ring, width),
    "",
    ...drawStages(cluster, ring, width, paint),
    ...spareLines(cluster, ring, width),
  ];
  return lines.map((line) => clipped(line, width - 1));
}

/** Which nodes stand by for which stages. */
function spareLines({ nodes }: ClusterDocument, { spares }: RingDocument, width: number): readonly string[] {
  const texts = (spares ?? []).map(({ node_id, layer_begin, layer_end, state }) => {
    const name = nodes.find(({ id }) => id === node_id)?.name ?? node_id;
    return `[${layer_begin}, ${layer_end}) ${name} ${state}`;
  });
  if (texts.length === 0) return [];
  return ["", ...packed(texts, " · ", width - 1 - INDENT.length, "standing by: ").map((line) => INDENT + line)];
}

function ringFacts(ring: RingDocument, paint: Paint): readonly string[] {
  return [
    stateText(ring, paint),
    `${ring.layer_count} layers`,
    ...(ring.context_size > 0 ? [`context ${ring.context_size}`] : []),
    ...requestText(ring),
    ...(ring.epoch > 1 ? [`epoch ${ring.epoch}`] : []),
    ...(ring.replica ? [`replica ${ring.replica}`] : []),
    ...(ring.draining ? [paint("yellow", "draining")] : []),
  ];
}

/** The model's name and the facts behind it, as many lines as they need. */
function factLines(model: string, facts: readonly string[], width: number, paint: Paint): readonly string[] {
  const [first = "", ...rest] = packed(facts, " · ", width - 1 - INDENT.length, `${paint("bold", model)}  `);
  return [first.trimEnd(), ...rest.map((line) => INDENT + line)];
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

function reasonLines({ reason }: RingDocument, width: number): string[] {
  return reason ? wrapped(reason, width - 3).map((line) => INDENT + line) : [];
}

/** What the table of stages shows; each one is narrower than the one before it. */
const LAYOUTS = [
  { name: 18, hasBar: true, memory: "apart" },
  { name: 18, hasBar: true, memory: "together" },
  { name: 18, hasBar: false, memory: "together" },
  { name: 10, hasBar: false, memory: "together" },
] as const;

type Layout = (typeof LAYOUTS)[number];

const RAIL = { first: "  ╭▶ ", between: "  │  ", step: "  │     ↓", back: "  ╰─────╯" };

function drawStages(cluster: ClusterDocument, ring: RingDocument, width: number, paint: Paint): string[] {
  if (ring.stages.length === 0) return ["  not placed yet"];
  const room = width - 1 - RAIL.first.length;
  const tables = LAYOUTS.map((layout) => drawTable(cluster, ring, layout, room, paint));
  const fitting = tables.find((table) => table.every((line) => visibleLength(line) <= room));
  const [headings = "", ...lines] = fitting ?? tables.at(-1) ?? [];
  return [" ".repeat(RAIL.first.length) + paint("dim", headings), ...withRail(lines, linkTexts(cluster, ring), paint)];
}

/** Headings and a line for each stage, the bar as long as there is room for it. */
function drawTable(cluster: ClusterDocument, ring: RingDocument, layout: Layout, room: number, paint: Paint): string[] {
  const alignment: readonly Alignment[] = [
    "left",
    "left",
    ...(layout.hasBar ? (["left"] as const) : []),
    "right",
    "right",
  ];
  const draw = (bar: number): string[] => {
    const rows = ring.stages.map((stage) => stageRow(cluster, ring, stage, layout, bar, paint));
    return inColumns([headingsOf(layout), ...rows], alignment);
  };
  if (!layout.hasBar) return draw(0);
  const used = Math.max(...draw(0).map(visibleLength));
  return draw(Math.max(SHORTEST_BAR, Math.min(LONGEST_BAR, room - used)));
}

function headingsOf({ hasBar, memory }: Layout): readonly string[] {
  return ["", "layers", ...(hasBar ? [""] : []), ...(memory === "apart" ? ["weights", "KV cache"] : ["memory"])];
}

function stageRow(
  cluster: ClusterDocument,
  ring: RingDocument,
  stage: StageDocument,
  layout: Layout,
  bar: number,
  paint: Paint,
): readonly string[] {
  const name = cluster.nodes.find((node) => node.id === stage.node_id)?.name ?? stage.node_id;
  const head = stage.has_output ? " (head)" : "";
  return [
    shortened(name, layout.name) + head,
    `[${stage.layer_begin}, ${stage.layer_end})`,
    ...(layout.hasBar ? [layerBar(stage, ring.layer_count, bar, paint)] : []),
    ...(ring.state === "ready" ? memoryTexts(stage, layout) : [loadingText(stage)]),
  ];
}

function memoryTexts({ memory }: StageDocument, layout: Layout): readonly string[] {
  const { weights, kv_cache, compute } = memory;
  if (layout.memory === "apart") return [formatByteSize(weights), formatByteSize(kv_cache)];
  return [formatByteSize(weights + kv_cache + compute)];
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

/** For each stage what the way to the next one takes, the last one's being the way back; "" where nobody measured it. */
function linkTexts(cluster: ClusterDocument, { stages }: RingDocument): readonly string[] {
  const links = cluster.links ?? [];
  return stages.map(({ node_id }, index) => {
    const next = stages[(index + 1) % stages.length]?.node_id;
    const link = links.find(({ from, to }) => from === node_id && to === next);
    return link === undefined || next === node_id ? "" : linkText(link);
  });
}

/** The rail at the left is the way back from the last stage to the head. */
function withRail(lines: readonly string[], links: readonly string[], paint: Paint): string[] {
  const beside = (rail: string, link = ""): string => (link === "" ? rail : `${rail} ${paint("dim", link)}`);
  const stages = lines.map((line, index) => (index === 0 ? RAIL.first : RAIL.between) + line);
  const way = stages.flatMap((line, index) => (index === 0 ? [line] : [beside(RAIL.step, links[index - 1]), line]));
  return [...way, beside(RAIL.back, links.at(-1))];
}
