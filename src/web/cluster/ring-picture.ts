import { html } from "htm/preact";
import type { ClusterDocument, ClusterRing } from "../api/cluster-document.js";
import { dotSeconds, type RingActivity } from "./activity.js";
import { linkTimes, millisecondsText } from "./ring-facts.js";
import { type EdgeGeometry, MOST_AROUND, ringGeometry } from "./ring-geometry.js";
import { StageCard } from "./stage-card.js";

interface RingPictureProps {
  readonly cluster: ClusterDocument;
  readonly ring: ClusterRing;
  readonly activity: RingActivity;
}

/** The ring drawn: cards around an ellipse with the hops between them; below each other where there is no room. */
export function RingPicture({ cluster, ring, activity }: RingPictureProps) {
  const { stages } = ring;
  const isAround = stages.length <= MOST_AROUND;
  const geometry = ringGeometry(stages.length);
  const times = linkTimes(cluster, ring);
  const shape = isAround ? `around around-${stages.length}` : "";
  const label = `${ring.model}: a ring of ${stages.length} ${stages.length === 1 ? "node" : "nodes"}`;
  return html`<div class="ring-picture">
    <div class=${`ring-drawing ${shape}`}>
      ${isAround ? html`<${Edges} edges=${geometry.edges} activity=${activity} />` : null}
      <ol class="ring-stages" aria-label=${label}>
        ${stages.map((stage, index) => {
          const node = cluster.nodes.find(({ id }) => id === stage.nodeId);
          const next = stages[(index + 1) % stages.length];
          const time = activity.hops[index] ?? times[index] ?? null;
          return html`<li key=${stage.nodeId}>
            <${StageCard}
              ring=${ring}
              stage=${stage}
              index=${index}
              node=${node}
              at=${isAround ? geometry.stages[index] : undefined}
              busy=${activity.busy[index] ?? null}
            />
            ${
              stages.length < 2 || next === undefined
                ? null
                : html`<${Hop}
                  to=${next.nodeName}
                  time=${time}
                  edge=${isAround ? geometry.edges[index] : undefined}
                  isLast=${index === stages.length - 1}
                  flows=${activity.flows}
                />`
            }
          </li>`;
        })}
      </ol>
    </div>
  </div>`;
}

function Edges({ edges, activity }: { edges: readonly EdgeGeometry[]; activity: RingActivity }) {
  const pace = { animationDuration: `${dotSeconds(activity.tokensPerSecond)}s` };
  return html`<svg class="ring-edges" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
    ${edges.map(({ path }) => html`<path key=${path} class="edge" d=${path} />`)}
    ${
      activity.flows
        ? edges.map(({ path }) => html`<path key=${`flow ${path}`} class="edge-flow" d=${path} style=${pace} />`)
        : null
    }
  </svg>`;
}

interface HopProps {
  readonly to: string;
  /** Milliseconds; `null`: not measured. */
  readonly time: number | null;
  readonly edge: EdgeGeometry | undefined;
  readonly isLast: boolean;
  readonly flows: boolean;
}

function Hop({ to, time, edge, isLast, flows }: HopProps) {
  const place = edge === undefined ? {} : { "--left": `${edge.middle.x}%`, "--top": `${edge.middle.y}%` };
  const turn = edge === undefined ? {} : { "--turn": `${edge.direction}deg` };
  return html`<p class=${`hop${flows ? " flows" : ""}${isLast ? " hop-back" : ""}`} style=${place}>
    <span class="hop-arrow" style=${turn} aria-hidden="true">→</span>
    <span class="hidden">${isLast ? `back to ${to}: ` : `to ${to}: `}</span>
    <span>${time === null ? "not measured" : millisecondsText(time)}</span>
  </p>`;
}
