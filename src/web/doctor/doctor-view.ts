import { signal } from "@preact/signals";
import { html } from "htm/preact";
import { askDoctor } from "../api/cluster-requests.js";
import { type DoctorDocument, type DoctorFinding, SEVERITIES, type Severity } from "../api/doctor-document.js";
import { sentenceOf } from "../api/server-error.js";
import { CopyButton } from "../app/copy-button.js";
import type { AppState } from "../app/state.js";
import { summaryText } from "./summary-text.js";

interface Look {
  readonly isLooking: boolean;
  readonly found: { readonly report: DoctorDocument; readonly at: Date } | null;
  /** Why the last look came to nothing, or `null`. */
  readonly failure: string | null;
}

/** Kept when the reader goes to another view and comes back. */
const look = signal<Look>({ isLooking: false, found: null, failure: null });

/** What is wrong with the machine of this node, and what to do about it. */
export function DoctorView({ app }: { app: AppState }) {
  const { isLooking, found, failure } = look.value;
  const name = app.cluster.value?.node.name ?? "this node";
  return html`<h1>Doctor</h1>
    <section class="card" aria-busy=${isLooking}>
      <p>
        Looks at the machine of ${name}: settings, ports, network, firewall, the native addon, memory, disk, clock, and what
        it knows of the other nodes. Open the page of another node to look at its machine.
      </p>
      <div class="row">
        <button type="button" class="primary" disabled=${isLooking} onClick=${() => void lookAround(app)}>
          ${found === null ? "Look now" : "Look again"}
        </button>
        <span role="status">${statusText(look.value)}</span>
      </div>
      ${failure === null ? null : html`<p class="error" role="alert">${failure}</p>`}
    </section>
    ${found === null ? null : html`<${Findings} report=${found.report} />`}`;
}

async function lookAround({ server }: AppState): Promise<void> {
  look.value = { ...look.value, isLooking: true, failure: null };
  try {
    const report = await askDoctor(server, new AbortController().signal);
    look.value = { isLooking: false, found: { report, at: new Date() }, failure: null };
  } catch (thrown) {
    look.value = { ...look.value, isLooking: false, failure: sentenceOf(thrown) };
  }
}

function statusText({ isLooking, found }: Look): string {
  if (isLooking) return "Looking; it takes up to half a minute…";
  return found === null ? "" : `${summaryText(found.report.findings)}, at ${found.at.toLocaleTimeString()}.`;
}

const TITLES: Readonly<Record<Severity, string>> = {
  problem: "Does not work",
  warning: "Works worse, or may not work",
  note: "Good to know",
  ok: "In order",
};

function Findings({ report }: { report: DoctorDocument }) {
  const { findings, version, platform, arch } = report;
  return html`${SEVERITIES.map((severity) => {
    const own = findings.filter((finding) => finding.severity === severity);
    return own.length === 0 ? null : html`<${Group} key=${severity} severity=${severity} findings=${own} />`;
  })}
    <p class="note">exo-native ${version} on ${platform} ${arch}</p>`;
}

function Group({ severity, findings }: { severity: Severity; findings: readonly DoctorFinding[] }) {
  const title = `${TITLES[severity]} (${findings.length})`;
  const list = html`<ul>
    ${findings.map((finding, index) => html`<${Finding} key=${`${finding.id} ${index}`} finding=${finding} />`)}
  </ul>`;
  // What is in order needs no reading.
  if (severity === "ok") {
    return html`<details class="card findings findings-ok">
      <summary><h2>${title}</h2></summary>
      ${list}
    </details>`;
  }
  return html`<section class=${`card findings findings-${severity}`} aria-labelledby=${`findings-${severity}`}>
    <h2 id=${`findings-${severity}`}>${title}</h2>
    ${list}
  </section>`;
}

function Finding({ finding }: { finding: DoctorFinding }) {
  const { id, title, detail, mend } = finding;
  return html`<li>
    <h3>${title}</h3>
    ${detail === "" ? null : html`<p>${detail}</p>`}
    ${
      mend === null
        ? null
        : html`<p class="mend">
            <span><span class="hidden">What to do: </span>${mend}</span>
            <${CopyButton} text=${() => mend} what=${`what to do about: ${title}`} />
          </p>`
    }
    <p class="note">${id}</p>
  </li>`;
}
