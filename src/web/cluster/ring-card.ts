import { html } from "htm/preact";
import type { ClusterDocument, ClusterRing, RingSpeed } from "../api/cluster-document.js";
import { formatSeconds } from "../app/format.js";
import { toHash } from "../app/route.js";
import { IDLE, type RingActivity } from "./activity.js";
import { errorText, millisecondsText, ringBadges, ringStateText } from "./ring-facts.js";
import { RingPicture } from "./ring-picture.js";
import { RingTable } from "./ring-table.js";

interface RingCardProps {
  readonly cluster: ClusterDocument;
  readonly ring: ClusterRing;
  readonly activity: RingActivity | undefined;
}

/** One model on its ring: how it is, how fast it is, where its layers are, and why. */
export function RingCard({ cluster, ring, activity = IDLE }: RingCardProps) {
  return html`<section class="card ring-card" aria-labelledby=${`ring-${ring.id}`}>
    <h2 class="ring-title" id=${`ring-${ring.id}`}>
      <a href=${toHash("models", ring.model)}>${ring.model}</a>
      <span class=${`badge state-${ring.state}`}>${ringStateText(ring)}</span>
    </h2>
    <ul class="badges">
      ${ringBadges(ring).map((text) => html`<li key=${text} class="badge">${text}</li>`)}
    </ul>
    ${ring.reason === null ? null : html`<p class=${ring.state === "failed" ? "error" : "warning"}>${ring.reason}</p>`}
    ${
      ring.state === "loading"
        ? html`<progress class="wide" value=${ring.progress} max="1" aria-label=${`Loading ${ring.model}`}></progress>`
        : null
    }
    ${
      ring.stages.length === 0
        ? html`<p class="note">It is not placed yet.</p>`
        : html`<${RingPicture} cluster=${cluster} ring=${ring} activity=${activity} />`
    }
    <${RingSpeeds} ring=${ring} activity=${activity} />
    ${ring.stages.length === 0 ? null : html`<${RingTable} cluster=${cluster} ring=${ring} />`}
    <${Reasons} ring=${ring} />
  </section>`;
}

function Reasons({ ring }: { ring: ClusterRing }) {
  if (ring.plan.length === 0) return null;
  return html`<details>
    <summary>Why this placement</summary>
    <ul class="reasons">
      ${ring.plan.map((sentence, index) => html`<li key=${index}>${sentence}</li>`)}
    </ul>
  </details>`;
}

function RingSpeeds({ ring, activity }: { ring: ClusterRing; activity: RingActivity }) {
  const { predicted, measured, hops } = ring;
  const now = activity.flows ? (activity.tokensPerSecond ?? ring.decodeTokensPerSecond) : 0;
  return html`<dl class="speeds">
    <div>
      <dt>Now</dt>
      <dd>${now > 0 ? `${now.toFixed(1)} tok/s` : activity.flows ? "computing" : "idle"}</dd>
    </div>
    <${Speed}
      name="Tokens per second"
      predicted=${rateText(predicted)}
      measured=${rateText(measured)}
      error=${errorText(predicted.decodeTokensPerSecond, measured.decodeTokensPerSecond, "faster")}
    />
    <${Speed}
      name="First token of a prompt of 512"
      predicted=${ttftText(predicted)}
      measured=${ttftText(measured)}
      error=${errorText(predicted.ttftSeconds, measured.ttftSeconds, "slower")}
    />
    ${
      hops === null
        ? null
        : html`<div>
          <dt>Way there and back (hop)</dt>
          <dd>${millisecondsText(hops.p50)}, 99 of 100 below ${millisecondsText(hops.p99)}</dd>
        </div>`
    }
  </dl>`;
}

interface SpeedProps {
  readonly name: string;
  readonly predicted: string;
  readonly measured: string;
  readonly error: string;
}

function Speed({ name, predicted, measured, error }: SpeedProps) {
  if (predicted === "" && measured === "") return null;
  return html`<div>
    <dt>${name}</dt>
    <dd>
      ${measured === "" ? "not measured yet" : `${measured} measured`}
      ${predicted === "" ? null : html`<span class="quiet-text">, ${predicted} predicted</span>`}
      ${error === "" ? null : html`<span class="quiet-text"> (${error})</span>`}
    </dd>
  </div>`;
}

function rateText({ decodeTokensPerSecond }: RingSpeed): string {
  return decodeTokensPerSecond === null ? "" : `${decodeTokensPerSecond.toFixed(1)}`;
}

function ttftText({ ttftSeconds }: RingSpeed): string {
  return ttftSeconds === null ? "" : formatSeconds(ttftSeconds * 1000);
}
