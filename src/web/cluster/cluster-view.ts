import { html } from "htm/preact";
import { useEffect, useMemo } from "preact/hooks";
import type { ClusterDocument } from "../api/cluster-document.js";
import { toHash } from "../app/route.js";
import type { AppState } from "../app/state.js";
import { ClusterFollower, type Happening } from "./cluster-follower.js";
import { NodeLists } from "./node-list.js";
import { RingCard } from "./ring-card.js";

/** The machines of the cluster and the rings on them, as they are now. */
export function ClusterView({ app }: { app: AppState }) {
  const follower = useMemo(() => new ClusterFollower(app), [app]);
  useEffect(() => follower.start(), [follower]);
  const cluster = app.cluster.value;
  return html`<h1>Cluster</h1>
    ${app.trouble.value === null ? null : html`<p class="error" role="alert">${app.trouble.value}</p>`}
    ${cluster === null ? html`<${Unseen} isWaiting=${app.trouble.value === null} />` : null}
    ${cluster === null ? null : html`<${Rings} cluster=${cluster} follower=${follower} />`}
    <${Happenings} list=${follower.happenings.value} />
    ${cluster === null ? null : html`<${NodeLists} cluster=${cluster} />`}`;
}

function Unseen({ isWaiting }: { isWaiting: boolean }) {
  if (isWaiting) return html`<p class="note">Asking the node…</p>`;
  return html`<p class="note">This page asks again by itself; it goes on when the node answers.</p>`;
}

function Rings({ cluster, follower }: { cluster: ClusterDocument; follower: ClusterFollower }) {
  if (cluster.rings.length === 0) return html`<${NoRing} />`;
  const activity = follower.activity.value;
  return html`${cluster.rings.map(
    (ring) => html`<${RingCard} key=${ring.id} cluster=${cluster} ring=${ring} activity=${activity.get(ring.id)} />`,
  )}`;
}

function NoRing() {
  return html`<section class="card">
    <h2>No model is loaded</h2>
    <p>
      The nodes below are ready. <a href=${toHash("models")}>Choose a model</a> to see what fits them and how fast it would
      be.
    </p>
  </section>`;
}

/** What changed while the reader looks on; read out as it comes. */
function Happenings({ list }: { list: readonly Happening[] }) {
  return html`<section class=${list.length === 0 ? "hidden" : "card"} aria-labelledby="happenings-title">
    <h2 id="happenings-title">What happened</h2>
    <div class="happenings" role="log" aria-labelledby="happenings-title">
      ${list.map(({ id, at, text }) => html`<p key=${id}><time>${at.toLocaleTimeString()}</time> ${text}</p>`)}
    </div>
  </section>`;
}
