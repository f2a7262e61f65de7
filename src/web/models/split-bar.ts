import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { formatLayers } from "../app/format.js";
import { TINTS } from "../cluster/stage-card.js";
import { cutBounds, moveCut, rangesOf, type Split } from "./split.js";

interface SplitBarProps {
  readonly split: Split;
  readonly layerCount: number;
  readonly onChange: (split: Split) => void;
}

/** The layers as a bar with a handle at every cut: to drag, or to move with the arrow keys. */
export function SplitBar({ split, layerCount, onChange }: SplitBarProps) {
  const bar = useRef<HTMLDivElement>(null);
  const drag = (cut: number, x: number): void => {
    const box = bar.current?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return;
    onChange(moveCut(split, cut, ((x - box.left) / box.width) * layerCount));
  };
  return html`<div class="split-bar" ref=${bar}>
    ${split.map(
      ({ nodeId, nodeName, layers }, index) => html`<span
        key=${nodeId}
        class=${`split-part tint-${index % TINTS}`}
        style=${{ flexGrow: layers }}
        aria-hidden="true"
      >
        <span class="split-part-name">${nodeName}</span>
      </span>`,
    )}
    ${split.slice(0, -1).map(
      ({ nodeId }, cut) => html`<${Handle}
        key=${`cut behind ${nodeId}`}
        split=${split}
        cut=${cut}
        layerCount=${layerCount}
        onChange=${onChange}
        onDrag=${drag}
      />`,
    )}
  </div>`;
}

interface HandleProps extends SplitBarProps {
  /** Index of the part before it. */
  readonly cut: number;
  readonly onDrag: (cut: number, x: number) => void;
}

function Handle({ split, cut, layerCount, onChange, onDrag }: HandleProps) {
  const ranges = rangesOf(split);
  const at = ranges[cut]?.end ?? 0;
  const { least, most } = cutBounds(split, cut);
  const names = [split[cut]?.nodeName ?? "", split[cut + 1]?.nodeName ?? ""] as const;
  const press = (event: KeyboardEvent): void => {
    const to = keyTarget(event.key, at, least, most);
    if (to === null) return;
    event.preventDefault();
    onChange(moveCut(split, cut, to));
  };
  const grab = (event: PointerEvent): void => {
    if (event.currentTarget instanceof HTMLElement) event.currentTarget.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent): void => {
    const handle = event.currentTarget;
    if (handle instanceof HTMLElement && handle.hasPointerCapture(event.pointerId)) onDrag(cut, event.clientX);
  };
  return html`<span
    class="split-handle"
    role="slider"
    tabindex="0"
    aria-label=${`Cut between ${names[0]} and ${names[1]}`}
    aria-orientation="horizontal"
    aria-valuemin=${least}
    aria-valuemax=${most}
    aria-valuenow=${at}
    aria-valuetext=${`${names[0]} ${rangeText(ranges[cut])}, ${names[1]} ${rangeText(ranges[cut + 1])}`}
    style=${{ left: `${(at / Math.max(1, layerCount)) * 100}%` }}
    onKeyDown=${press}
    onPointerDown=${grab}
    onPointerMove=${move}
  ></span>`;
}

function rangeText(range: { readonly begin: number; readonly end: number } | undefined): string {
  return range === undefined ? "" : formatLayers(range.begin, range.end);
}

/** Where a key moves a cut; `null`: the key is not for sliders. */
function keyTarget(key: string, at: number, least: number, most: number): number | null {
  const page = Math.max(2, Math.round((most - least) / 8));
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return at - 1;
    case "ArrowRight":
    case "ArrowUp":
      return at + 1;
    case "PageDown":
      return at - page;
    case "PageUp":
      return at + page;
    case "Home":
      return least;
    case "End":
      return most;
    default:
      return null;
  }
}
