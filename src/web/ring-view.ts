import { element, svgElement } from "./element.js";
import { formatBytes, formatLayers } from "./format.js";
import { at, listAt, numberAt, textAt } from "./json.js";

/** Circumference of the drawn circle in the units of `pathLength`. */
const AROUND = 100;
/** Colours there are in the style sheet. */
const COLOURS = 8;

/** The rings that `/cluster` tells of, and the nodes that hold no layers. */
export function ringView(snapshot: unknown): readonly Node[] {
  const nodes = listAt(snapshot, "nodes");
  const rings = listAt(snapshot, "rings");
  const placed = new Set(rings.flatMap((ring) => listAt(ring, "stages").map((stage) => textAt(stage, "node_id"))));
  const idle = nodes.filter((node) => !placed.has(textAt(node, "id")));
  return [
    ...(rings.length === 0 ? [note("No model is placed on this cluster yet.")] : []),
    ...rings.flatMap((ring) => oneRing(ring, nodes)),
    ...(idle.length === 0 ? [] : [element("h3", "", "Nodes without layers"), idleNodes(idle)]),
  ];
}

function oneRing(ring: unknown, nodes: readonly unknown[]): readonly Node[] {
  const stages = listAt(ring, "stages");
  const items = stages.map((stage, index) => stageItem(stage, index, nodes));
  const reason = textAt(ring, "reason");
  return [
    element("h3", "", textAt(ring, "model")),
    ...(stages.length === 0 ? [] : [donut(ring, stages), element("ol", "nodes", ...items)]),
    ...(reason === "" ? [] : [note(reason)]),
  ];
}

/** Each stage as an arc as long as its share of the layers, the head first, clockwise from the top. */
function donut(ring: unknown, stages: readonly unknown[]): SVGSVGElement {
  const layers = Math.max(1, numberAt(ring, "layer_count"));
  const circle = { cx: 32, cy: 32, r: 26, fill: "none", "stroke-width": 8, pathLength: AROUND };
  const arcs = stages.map((stage, index) => {
    const begin = (numberAt(stage, "layer_begin") / layers) * AROUND;
    const length = ((numberAt(stage, "layer_end") - numberAt(stage, "layer_begin")) / layers) * AROUND;
    return svgElement("circle", {
      ...circle,
      class: `stage-${index % COLOURS}`,
      // A gap of one unit between neighbours.
      "stroke-dasharray": `${Math.max(0, length - 1)} ${AROUND}`,
      "stroke-dashoffset": -begin,
      transform: "rotate(-90 32 32)",
    });
  });
  const title = `A ring of ${stages.length} ${stages.length === 1 ? "stage" : "stages"}, ${stateOf(ring)}`;
  return svgElement(
    "svg",
    { class: "donut", viewBox: "0 0 64 64", role: "img", "aria-label": title },
    svgElement("circle", { ...circle, class: "donut-track" }),
    ...arcs,
    svgElement("text", { x: 32, y: 32 }, `${numberAt(ring, "layer_count")} layers`),
    svgElement("text", { x: 32, y: 40, class: "donut-small" }, stateOf(ring)),
  );
}

function stateOf(ring: unknown): string {
  const state = textAt(ring, "state");
  return state === "loading" ? `loading ${Math.round(numberAt(ring, "progress") * 100)} %` : state;
}

function stageItem(stage: unknown, index: number, nodes: readonly unknown[]): HTMLElement {
  const id = textAt(stage, "node_id");
  const node = nodes.find((candidate) => textAt(candidate, "id") === id);
  const name = element("span", "node-name", nameOf(node, textAt(stage, "node_name") || id));
  if (at(stage, "has_output") === true) name.append(element("span", "badge", "head"));
  const layers = formatLayers(numberAt(stage, "layer_begin"), numberAt(stage, "layer_end"));
  const facts = `${layers} · ${formatBytes(numberAt(stage, "memory", "weights"))} weights`;
  return item(`stage-${index % COLOURS}`, name, facts);
}

function idleNodes(nodes: readonly unknown[]): HTMLElement {
  const items = nodes.map((node) => {
    const reason = textAt(node, "reason");
    const facts = reason === "" ? freeMemory(node) : reason;
    return item("", element("span", "node-name", nameOf(node, textAt(node, "id"))), facts);
  });
  return element("ul", "nodes", ...items);
}

function item(colour: string, name: HTMLElement, facts: string): HTMLElement {
  return element("li", "node", element("span", `swatch ${colour}`), name, element("span", "node-facts", facts));
}

function nameOf(node: unknown, otherwise: string): string {
  return textAt(node, "name") || otherwise;
}

function freeMemory(node: unknown): string {
  const devices = listAt(node, "devices").map((device) => {
    const free = formatBytes(numberAt(device, "memory_free"));
    return `${textAt(device, "name")}: ${free} free of ${formatBytes(numberAt(device, "memory_total"))}`;
  });
  return devices.length === 0 ? textAt(node, "state") : devices.join(", ");
}

function note(text: string): HTMLElement {
  return element("p", "note", text);
}
